"""A small raffle, from the definitions to the claim, kept as a story that one can read: ``golden/raffle.txt``."""

import msgspec
from core_golden import golden_text
from core_judges import SECRET
from core_logs import Raw, pack, texts_of, told
from core_story import Story

from footfall.core.receipts import opens, receipts

TITLE = """\
A raffle: the 10th visit to google, and the 5th to google.gmail.
Beside each message stands what a judge counts after it, and which visit is sought.

"""


def came(leaf: str, *who: str, key: str | None = None) -> Raw:
    """A section of visits with their visitors."""
    return [leaf, "visits", len(who), pack(who), None if key is None else pack([key]), 1]


def tell_winners(story: Story, node: str, which: int) -> None:
    """Have a node tell what its judges found, ``which``: the first judge's or the second's."""
    for sequence, ((counter, n), crossings) in enumerate(sorted(story.found.items(), reverse=True), 1):
        winner, proof = crossings[which].winner(SECRET, 1_700_000_000_000_000_000), crossings[which].proof
        plain = msgspec.msgpack.decode(pack([winner, proof]))
        story.take(told("reached/1", node, sequence, counter, n, *plain))


def raffle() -> Story:
    story = Story(3, ("google", "google.gmail"))
    (key,) = texts_of(1, 3, 1, "retry-")
    story.define(("google.gmail", "visits"), ("google.youtube", "visits"))
    for counter, n in (("google", 10), ("google.gmail", 5)):
        story.tell("milestone/1", counter, n, "")
        story.tell("verdict/1", counter, n, story.sequence, 0)
    story.store(came("google.gmail", "ann", "bob", "eve"), producer="a1", partition=2)
    story.store(came("google.youtube", "joe", "kim"), producer="b1", partition=0)
    story.take(story.log[-2])
    story.lines.append(" " * 14 + "a1 did not hear the answer and sent the same bytes again: they count once")
    story.tick()
    story.judge_from_here("the second judge")
    story.store(came("google.gmail", "ann", key=key), producer="b1", partition=1)
    story.store(came("google.gmail", "ann", key=key), producer="a1", partition=1)
    story.lines.append(" " * 14 + "ann's client tried again at another node: the key is known, and does not count")
    story.store(came("google.youtube", "liz", "max"), producer="a1", partition=2)
    story.store(came("google.gmail", "zoe", "kim", "ben", "eve"), producer="b1", partition=0)
    tell_winners(story, "node-1", 0)
    story.store(came("google.gmail", "max"), came("google.youtube", "ann"), producer="a1", partition=2)
    story.lines.append(" " * 14 + "too late: nobody's visit changes who was the 10th")
    tell_winners(story, "node-2", 1)
    story.take(told("claimed/1", "node-1", 3, "google", 10, b"kim's claim"))
    story.take(told("claimed/1", "node-2", 3, "google", 10, b"another claim"))
    return story


def test_the_raffle_ends_as_the_story_tells() -> None:
    story = raffle()
    assert story.alarms == []
    golden_text("raffle.txt", TITLE + "\n".join(story.lines) + "\n")


def test_only_the_winner_of_the_story_holds_the_receipt() -> None:
    story = raffle()
    google, gmail = (story.definitions.milestones.find(*which) for which in (("google", 10), ("google.gmail", 5)))
    assert google is not None
    assert gmail is not None
    assert google.winner is not None
    assert gmail.winner is not None
    text = receipts(SECRET, "b1", 0, 2, 4)
    zoe, kim, ben, eve = (text[at : at + 32] for at in range(0, 128, 32))
    assert [opens(one, google.winner.receipt_sha256) for one in (zoe, kim, ben, eve)] == [False, True, False, False]
    assert [opens(one, gmail.winner.receipt_sha256) for one in (zoe, kim, ben, eve)] == [True, False, False, False]
    assert google.claim == b"kim's claim"
