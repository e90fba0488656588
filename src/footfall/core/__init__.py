"""The pure core: all that decides a count. No I/O, no clock, no randomness; read it to trust the number.

In this order each module needs only those before it:

``names``, ``vector``        counters, and how two views of one are joined
``routing``                  where a visitor, a key or a source belongs; which node does what changes no count
``position``                 whether a log still is the one that was counted
``batch``, ``control``       what the log holds: visits, and everything else
``keys``, ``visitors``       what was seen
``partition``                the fold of visits: here it is decided what counts
``milestones``,
``definitions``              the fold of the control subject
``table``                    the counts of all partitions, as one node knows them
``cut``, ``cut_writer``      states at a barrier as bytes, and back
``receipts``, ``judge``      the N-th visit
``closing``                  when a judge is needed: being wrong costs work, and changes no winner
``visit``, ``sealing``,
``outbox``                   a producer's side: what is taken, and which messages it becomes
"""
