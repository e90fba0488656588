"""The client's work without network and clock: whatever fails, every visit counts once, in order, or is told of."""

import logging
from pathlib import Path

import pytest
from fake_nodes import REMEMBERED_S, FakeNodes
from hypothesis import given, settings
from hypothesis import strategies as st

from footfall.client import policy
from footfall.client.engine import LOOK_S, Engine, Send
from footfall.client.settings import Settings
from footfall.errors import UnauthorizedError, UnavailableError

ONE = ("http://a:1",)
TWO = ("http://a:1", "http://b:1")
FAULTS = st.lists(st.sampled_from(["", "lost", "refused", "down", "503", "429", "500"]), max_size=12)


class Driver:
    """Drives an engine against fake nodes, by a clock that is set."""

    def __init__(
        self,
        urls: tuple[str, ...] = ONE,
        spool: Path | None = None,
        nodes: FakeNodes | None = None,
        now_s: float = 1000.0,
        **options: object,
    ) -> None:
        self.now_s = now_s
        self.nodes = nodes or FakeNodes()
        self.nodes.now = lambda: self.now_s
        directory = None if spool is None else str(spool)
        self.engine = Engine(Settings(urls, spool=directory, **options), lambda: self.now_s)  # type: ignore[arg-type]
        self.spool = self.engine._backlog.spool

    def put(self, counter: str, visitor: str | None = None, count: int = 1) -> None:
        assert self.engine.buffer.put(counter, visitor, count, None) >= 0

    def once(self, urgent: bool = True) -> float | None:
        """One step; returns for how long there is nothing to do then."""
        step = self.engine.step(self.now_s, urgent)
        if not isinstance(step, Send):
            return step
        self.engine.finish(self.now_s, self.nodes.take(step.url, step.asked.body, step.asked.age_s))
        return 0.0

    def run(self, steps_max: int = 1000) -> None:
        """Until nothing waits; time passes as the engine asks."""
        for _ in range(steps_max):
            pause_s = self.once()
            if self.engine.resolved == self.engine.buffer.entered and not self.engine.statistics.spooled:
                return
            self.now_s += pause_s or 0.0
        raise AssertionError(f"it does not end: {self.engine.statistics}")


@given(st.lists(st.tuples(st.sampled_from(["a", "a.b", "c"]), st.sampled_from([None, "x", "y"]))), FAULTS)
@settings(max_examples=200, deadline=None)
def test_whatever_fails_every_visit_counts_once(visits: list[tuple[str, str | None]], faults: list[str]) -> None:
    driver = Driver(TWO)
    driver.nodes.faults = faults
    for counter, visitor in visits:
        driver.put(counter, visitor)
    driver.run()
    assert driver.nodes.counts.total() == len(visits) == driver.engine.statistics.sent
    named = [(one["counter"], one["visitor"]) for one in driver.nodes.visits if "visitor" in one]
    assert named == [visit for visit in visits if visit[1]]


@given(
    st.lists(st.tuples(st.sampled_from(["lost", "refused", "down"]), st.floats(0, 700)), max_size=8),
    st.sampled_from([1.0, 60.0, REMEMBERED_S]),
)
@settings(deadline=None)
def test_however_long_it_takes_no_visit_counts_twice(faults: list[tuple[str, float]], remembered_s: float) -> None:
    driver = Driver()
    driver.nodes.remembered_s = remembered_s
    driver.put("a", "x")
    for fault, pause_s in faults:
        driver.nodes.faults = [fault]
        driver.once()
        driver.now_s += pause_s
    driver.nodes.faults = []
    driver.run()
    told = driver.engine.statistics
    assert (told.sent, told.unsure) in ((1, 0), (0, 1))
    assert driver.nodes.counts["a"] <= 1
    if all(fault == "refused" for fault, _ in faults):
        assert driver.nodes.counts["a"] == 1


def test_a_batch_that_was_never_taken_is_sent_after_hours() -> None:
    driver = Driver()
    driver.put("a")
    driver.nodes.faults = ["refused", "503"]
    driver.once()
    driver.now_s += 10_000
    driver.once()
    driver.now_s += 10_000
    driver.run()
    assert driver.nodes.counts == {"a": 1}


def test_a_batch_whose_answer_is_missing_for_too_long_is_given_up_and_told(caplog: pytest.LogCaptureFixture) -> None:
    driver = Driver()
    driver.put("a", "x", 5)
    driver.nodes.faults = ["lost"]
    driver.once()
    driver.now_s += policy.UNSURE_S_MAX + 1
    driver.put("b")
    driver.run()
    assert driver.nodes.counts == {"a": 5, "b": 1}
    assert driver.engine.statistics.unsure == driver.engine.lost == 5
    assert "5 visits were given up" in caplog.text


def test_a_batch_whose_keys_nodes_have_forgotten_is_given_up_and_told(caplog: pytest.LogCaptureFixture) -> None:
    driver = Driver()
    driver.nodes.remembered_s = 60.0
    driver.put("a", "x")
    driver.nodes.faults = ["lost"]
    driver.once()
    driver.now_s += 61
    driver.put("b")
    driver.run()
    assert driver.nodes.counts == {"a": 1, "b": 1}
    assert driver.engine.statistics.unsure == driver.engine.lost == 1
    assert "1 visit was given up" in caplog.text


def test_what_was_certainly_not_counted_has_no_age() -> None:
    driver = Driver()
    driver.put("a", "x")
    for fault, age_s in (("refused", 0.0), ("503", 0.0), ("down", 0.0), ("refused", 100.0), ("", 200.0)):
        driver.nodes.faults = [fault]
        step = driver.engine.step(driver.now_s, urgent=True)
        assert isinstance(step, Send)
        assert step.asked.age_s == age_s
        driver.engine.finish(driver.now_s, driver.nodes.take(step.url, step.asked.body, step.asked.age_s))
        driver.now_s += 100.0


def test_the_same_bytes_are_sent_again_to_the_next_node() -> None:
    driver = Driver(TWO)
    driver.put("a", "x")
    first = driver.engine.step(0.0, urgent=True)
    driver.engine.finish(0.0, UnavailableError("x"))
    second = driver.engine.step(0.0, urgent=True)
    assert isinstance(first, Send)
    assert isinstance(second, Send)
    assert (first.url, second.url, first.asked.body) == (*TWO, second.asked.body)


def test_the_node_that_answers_is_asked_on() -> None:
    driver = Driver(TWO)
    driver.nodes.faults = ["refused"]
    for _ in range(3):
        driver.put("a")
        driver.run()
    assert driver.nodes.requests == [TWO[0], TWO[1], TWO[1], TWO[1]]


def test_a_rate_is_not_evaded_at_another_node_and_not_by_haste() -> None:
    driver = Driver(TWO)
    driver.put("a")
    driver.nodes.faults = ["429"]
    driver.once()
    driver.engine.hurry()
    assert (driver.once() or 0) >= 3.0
    assert driver.nodes.requests == [TWO[0]]


def test_whoever_waits_ends_a_pause_that_no_node_asked_for() -> None:
    driver = Driver()
    driver.put("a")
    driver.nodes.faults = ["refused"]
    driver.once()
    assert (driver.once() or 0) > 0
    driver.engine.hurry()
    assert driver.once() == 0.0


def test_a_visit_waits_for_others_until_the_interval_is_over_or_a_batch_is_full() -> None:
    driver = Driver(flush_interval_s=2.0)
    assert driver.once(urgent=False) is None
    driver.put("a")
    assert driver.once(urgent=False) == 2.0
    driver.now_s += 2.0
    assert driver.once(urgent=False) == 0.0
    for number in range(10_000):
        driver.put("a", str(number))
    assert driver.once(urgent=False) == 0.0
    assert driver.nodes.counts["a"] == 10_001


def test_one_bad_visit_does_not_take_others_with_it(caplog: pytest.LogCaptureFixture) -> None:
    driver = Driver()
    driver.nodes.visitors_only, driver.nodes.forbidden, driver.nodes.nameless = {"people"}, {"secret"}, {"new"}
    for number in range(20):
        for name in ("good", "people", "secret", "new"):
            driver.put(name, f"v{number}" if name != "people" or number % 2 else None)
    driver.run()
    assert driver.nodes.counts == {"good": 20, "people": 10}
    assert driver.engine.statistics.dropped == driver.engine.lost == 50
    assert caplog.text.count("a visit was refused") == 3


def test_a_token_that_is_not_known_yet_keeps_visits_waiting() -> None:
    driver = Driver()
    driver.put("a", "x")
    driver.put("b", "x")
    driver.engine.step(0.0, urgent=True)
    driver.engine.finish(0.0, UnauthorizedError("who are you?"))
    driver.run()
    assert driver.nodes.counts == {"a": 1, "b": 1}


def test_trouble_is_told_once_and_its_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    driver = Driver()
    for _ in range(3):
        driver.put("a", "x")
    driver.nodes.faults = ["refused"] * 6
    driver.run()
    assert [record.getMessage()[:26] for record in caplog.records] == [
        "visits cannot be sent, and",
        "visits are sent again, aft",
    ]
    assert driver.engine.statistics.retried == 6


def test_a_single_lost_connection_is_no_trouble(caplog: pytest.LogCaptureFixture) -> None:
    driver = Driver()
    driver.put("a")
    driver.nodes.faults = ["down"]
    driver.run()
    assert not caplog.records


@given(FAULTS, st.lists(st.integers(0, 14), max_size=4), st.integers(1, 30))
@settings(max_examples=10, deadline=None)
def test_with_a_spool_visits_survive_deaths_of_their_process(
    tmp_path_factory: pytest.TempPathFactory, faults: list[str], deaths: list[int], visits: int
) -> None:
    directory = tmp_path_factory.mktemp("spool")
    driver = Driver(spool=directory)
    driver.nodes.faults = faults
    for number in range(visits):
        driver.put("a", f"v{number}")
    driver.engine.keep(driver.now_s, urgent=True)
    for steps in deaths:
        for _ in range(steps):
            driver.now_s += driver.once() or 0.0
        driver.put("a", "one more")
        driver.engine.keep(driver.now_s, urgent=True)
        step = driver.engine.step(driver.now_s, urgent=True)
        if isinstance(step, Send):
            driver.nodes.take(step.url, step.asked.body, step.asked.age_s)  # and nobody hears the answer
        assert driver.spool is not None
        driver.spool.close()  # without the engine's doing, as the system closes files of who died
        driver = Driver(spool=directory, nodes=driver.nodes, now_s=driver.now_s + 20)
    driver.nodes.faults = []
    driver.once()
    driver.run()
    assert driver.nodes.counts["a"] == visits + len(deaths)
    assert driver.engine.statistics.unsure == 0
    driver.engine.close()
    assert not list(directory.iterdir())


def test_what_a_disk_does_not_mark_as_sent_is_not_sent_before_it_does(tmp_path: Path) -> None:
    driver = Driver(spool=tmp_path)
    assert driver.spool is not None
    driver.put("a", "x")
    driver.engine.keep(driver.now_s, urgent=True)
    assert driver.spool._own is not None
    connection = driver.spool._own.connection
    connection.execute("PRAGMA query_only = ON")  # as if the disk were full
    driver.put("b", "x")
    for _ in range(3):
        driver.once()
    assert driver.nodes.counts == {"b": 1}
    connection.execute("PRAGMA query_only = OFF")
    driver.now_s += LOOK_S
    driver.run()
    assert driver.nodes.counts == {"a": 1, "b": 1}
    driver.engine.close()


def test_a_disk_that_fails_a_death_and_an_hour_make_no_visit_count_twice(tmp_path: Path) -> None:
    driver = Driver(spool=tmp_path)
    assert driver.spool is not None
    driver.put("a", "x")
    driver.engine.keep(driver.now_s, urgent=True)
    assert driver.spool._own is not None
    driver.spool._own.connection.execute("PRAGMA query_only = ON")
    for _ in range(3):
        driver.once()
    driver.spool._own.connection.close()  # and nothing else, as the system does for who died
    after = Driver(spool=tmp_path, nodes=driver.nodes, now_s=driver.now_s + 3600)
    after.once()
    after.run()
    assert after.nodes.counts["a"] == 1
    after.engine.close()
