"""The page's pure functions, in the browser that runs them; no node is needed for it."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page

from footfall.web.static import FOLDER


@pytest.fixture
def scripts(page: Page) -> Page:
    """A page of which every file is the package's own."""

    def answer(route: Any) -> None:
        path = route.request.url.partition("footfall.test/")[2]
        if path:
            route.fulfill(path=FOLDER / path, content_type="text/javascript")
        else:
            route.fulfill(
                body="<!doctype html><title>Modules</title><link rel=icon href=data:,>", content_type="text/html"
            )

    page.route("http://footfall.test/**", answer)
    page.goto("http://footfall.test/")
    return page


def call(page: Page, module: str, function: str, *arguments: str) -> Any:
    """What a function of a module returns, BigInts as text; ``arguments`` are expressions."""
    called = f"module.{function}({','.join(arguments)})"
    texts = "(_, value) => typeof value === 'bigint' ? `${value}` : value"
    return json.loads(
        page.evaluate(f"import('/dashboard/{module}.js').then((module) => JSON.stringify({called}, {texts}))")
    )


def test_numbers_are_said_as_people_say_them(scripts: Page) -> None:
    for function, argument, said in (
        ("ordinal", "1", "1st"),
        ("ordinal", "1012", "1,012th"),
        ("ordinal", "9223372036854775807n", "9,223,372,036,854,775,807th"),
        ("ordinal", "100000000000", "100,000,000,000th"),
        ("ordinal", "23", "23rd"),
        ("ordinal", "111", "111th"),
        ("perSecond", "0", "0"),
        ("perSecond", "0.126", "0.13"),
        ("perSecond", "12.34", "12.3"),
        ("perSecond", "61234.5", "61,235"),
        ("duration", "0.4", "0 s"),
        ("duration", "59.9", "59 s"),
        ("duration", "3600", "1 h"),
        ("duration", "86400", "1 day"),
        ("duration", "1e9", "31 years"),
        ("bytes", "0", "0 bytes"),
        ("bytes", "1536", "1.5 KiB"),
        ("bytes", "10737418240", "10 GiB"),
        ("ranges", "[0, 1, 2, 5, 7, 8]", "0\u20132, 5, 7, 8"),
        ("ranges", "[]", ""),
        ("partitions", "[0, 1, 2, 5]", "0\u20132, 5"),
        ("partitions", "Array.from({ length: 52 }, (_, at) => 2 * at)", "52 partitions"),
        ("wholeNumber", "' 1000 '", "1000"),
        ("wholeNumber", "'100,000,000,000'", "100000000000"),
        ("wholeNumber", "'1 000 000'", "1000000"),
        ("wholeNumber", "'1.000'", "1000"),
        ("wholeNumber", "'12.5'", ""),
        ("wholeNumber", "'1,000.5'", ""),
        ("wholeNumber", "'0'", ""),
        ("wholeNumber", "'1e6'", ""),
        ("nextRound", "0", "1"),
        ("nextRound", "99", "100"),
        ("nextRound", "100", "200"),
        ("nextRound", "5000", "10000"),
        ("nextRound", "99999999999", "100000000000"),
    ):
        assert call(scripts, "numbers", function, argument).replace("\u00a0", " ") == said, (function, argument)


def test_counts_beyond_what_a_number_holds_stay_exact(scripts: Page) -> None:
    assert call(scripts, "numbers", "parse", """'{"value": 9223372036854775807, "rate": 1.5}'""") == {
        "value": "9223372036854775807",
        "rate": 1.5,
    }
    assert call(scripts, "numbers", "sum", "[9007199254740991, 2]") == "9007199254740993"
    assert call(scripts, "numbers", "distance", "9223372036854775807n", "5") == "9223372036854775802"
    assert call(scripts, "numbers", "distance", "5", "7") == 0


def test_visits_and_visitors_are_added_up_apart(scripts: Page) -> None:
    readings = "[{value: 5, unit: 'visits'}, {value: 9007199254740993n, unit: 'visits'}, {value: 1, unit: 'visitors'}]"
    assert call(scripts, "numbers", "together", readings, "'visits'") == "9007199254740998"
    assert call(scripts, "numbers", "together", readings, "'visitors'") == 1


def test_a_wheel_turns_forward_to_its_digit_and_at_most_twice(scripts: Page) -> None:
    for before, after, turned in ((3, 4, 1), (9, 10, 1), (0, 20, 20), (0, 21, 11), (5, 10**11, 15), (7, 2, 5)):
        steps = call(scripts, "odometer", "turn", str(before), str(after))
        assert steps == turned
        assert (before + steps) % 10 == after % 10


def test_rates_come_from_neighbouring_samples_and_gaps_are_spread(scripts: Page) -> None:
    one = "{points: [[0, 0], [10, 50], [40, 50], [50, 45]]}"
    other = "{points: [[0, 0], [10, 10]]}"
    assert call(scripts, "series", "ratesOf", f"[{one}, {other}]") == [[10, 6], [40, 0], [50, 0]]
    rates = "[[10, 6], [12, 4], [40, 0]]"
    assert call(scripts, "series", "binned", rates, "0", "60", "10") == [[10, 40], [5, 0]]
    assert call(scripts, "series", "binned", rates, "20", "30", "10") == [[], []]


def test_a_node_keeps_its_colour_and_a_new_one_takes_what_is_free(scripts: Page) -> None:
    for before, needed, after in (
        ([], ["b", "a"], ["a", "b"]),
        (["a", "b"], ["b", "a", "c"], ["a", "b", "c"]),
        (["a", "b", "c"], ["a", "c"], ["a", None, "c"]),
        (["a", None, "c"], ["a", "c", "d", "e"], ["a", "d", "c", "e"]),
    ):
        assert call(scripts, "owners", "placed", json.dumps(before), json.dumps(needed)) == after
    assert call(scripts, "owners", "colourOf", "['a', 'b']", "'b'") == "owner-1"
    assert call(scripts, "owners", "colourOf", "['a', 'b']", "null") == "none"
    assert call(scripts, "owners", "colourOf", "['a', 'b']", "undefined") == "unknown"


def test_a_partition_that_moves_tells_who_counted_it_before(scripts: Page) -> None:
    known: Any = {}
    for owner, before in (("a", None), ("a", None), (None, None), ("b", "a"), (None, "a"), ("b", "a"), ("a", "b")):
        known = call(scripts, "owners", "moved", json.dumps(known), json.dumps([{"partition": 3, "owner": owner}]))
        assert known["3"]["before"] == before


def test_times_on_the_axis_say_which_they_are(scripts: Page) -> None:
    day = 86_400
    for step, span, parts in (
        (5, 120, {"hour", "minute", "second"}),
        (600, 3_600, {"hour", "minute"}),
        (3 * 3_600, day, {"hour", "minute"}),
        (12 * 3_600, 7 * day, {"weekday", "hour", "minute"}),
        (day, 7 * day, {"day", "month"}),
        (30 * day, 365 * day, {"month", "year"}),
    ):
        assert set(call(scripts, "chart", "styleOf", str(step), str(span))) == parts


def test_a_chart_shows_its_whole_span_and_a_live_one_what_is_known(scripts: Page) -> None:
    for arguments, shown in (
        ("undefined, 604800, undefined, 1e9", [1e9 - 604_800, 1e9]),
        ("1e9 - 60, 604800, undefined, 1e9", [1e9 - 604_800, 1e9]),
        ("undefined, 120, true, 1e9", [1e9 - 30, 1e9]),
        ("1e9 - 60, 120, true, 1e9", [1e9 - 60, 1e9]),
        ("1e9 - 600, 120, true, 1e9", [1e9 - 120, 1e9]),
    ):
        assert call(scripts, "chart", "rangeOf", arguments) == shown


def test_the_time_is_the_nodes_where_the_browsers_clock_is_off(scripts: Page) -> None:
    for header, seconds in (("Date.now() + 3_600_000", 3_600), ("Date.now() - 3_600_000", -3_600), ("Date.now()", 0)):
        ahead = scripts.evaluate(
            f"""async () => {{
                const {{ nodeTime, setClock }} = await import('/dashboard/clock.js');
                const now = Date.now();
                Date.now = () => now; // it stands still, however slow the machine is
                setClock(new Date({header}).toUTCString());
                return nodeTime() - now / 1_000;
            }}"""
        )
        assert abs(ahead - seconds) <= (1 if seconds else 0), header


def test_a_language_that_there_is_not_does_no_harm(scripts: Page) -> None:
    """So browsers say on machines whose locale is C."""
    scripts.evaluate("Object.defineProperty(Navigator.prototype, 'language', { get: () => 'en-US@posix' })")
    assert call(scripts, "chart", "rangeOf", "undefined, 30, false, 100") == [70, 100]


def test_a_line_that_leads_nowhere_is_said_to_be_one_long_before_silence_would_tell(scripts: Page) -> None:
    scripts.route("**/nowhere", lambda _: None)
    scripts.clock.install()
    scripts.evaluate(
        """async () => {
            const { Stream } = await import('/dashboard/stream.js');
            const waiting = (seconds) => { window.waits = seconds };
            new Stream({ event() {}, open() {}, refused() {}, waiting }).open('/nowhere');
        }"""
    )
    scripts.clock.fast_forward(1_000)
    assert scripts.evaluate("window.waits ?? null") is None
    scripts.clock.fast_forward(10_000)
    scripts.wait_for_function("window.waits")


def test_a_search_goes_on_until_it_has_found_something_or_is_at_the_end(scripts: Page) -> None:
    reading = {"counter": "z.needle", "value": 7, "unit": "visits", "sequence": 1, "children": 0}
    pages: dict[str, Any] = {
        "": {"counters": [], "next": "m"},
        "m": {"counters": [], "next": "y"},
        "y": {"counters": [reading], "next": None},
    }

    def answer(route: Any) -> None:
        asked = parse_qs(urlsplit(route.request.url).query)
        found = pages[asked.get("after", [""])[0]] if asked["search"] == ["needle"] else {"counters": [], "next": None}
        route.fulfill(json=found)

    scripts.route("http://footfall.test/v1/counters?**", answer)
    lists = scripts.evaluate(
        """async () => {
            const { more, tree } = await import('/dashboard/counters.js');
            for (const text of ['needle', 'nothing']) {
                tree.set({ text });
                await more(`?${text}`);
            }
            return tree.get().lists;
        }"""
    )
    assert (lists["?needle"]["names"], lists["?needle"]["next"]) == (["z.needle"], None)
    assert (lists["?nothing"]["names"], lists["?nothing"]["next"]) == ([], None)
