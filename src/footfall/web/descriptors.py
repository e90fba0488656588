"""Room for connections: as many descriptors as the system allows, up to what is needed."""

import resource

RESERVE = 200  # for the log, the spool, cuts, and what the process has open from its start


def room_for(connections: int) -> int:
    """How many of so many connections there can be, after this process has asked for the room.

    Without it the system's usual soft limit of 1024 would hold, and a server that has no descriptor left can neither
    accept a connection nor turn it away.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + RESERVE
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return connections if soft == resource.RLIM_INFINITY else max(1, min(connections, soft - RESERVE))
