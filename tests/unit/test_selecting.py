"""Which requests of a log count, in which counter, and whose visits they are."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.cli.formats import Format, Reading, parser
from footfall.cli.logs.hit import Dialect, Hit, Skip
from footfall.cli.selecting import TARGET_LENGTH_MAX, Line, Selection, select
from footfall.core.names import lineage
from footfall.errors import ConfigError, FootfallError
from footfall.naming import Names

EVERYTHING = frozenset({"address", "time", "method", "target", "host", "status", "agent", "fields"})
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
HIT = Hit(
    "192.0.2.7", "26/Nov/2026:08:00:00 +0000", None, "GET", "/blog/hello?a=b", "www.example.com:443", "200", BROWSER
)


def decided(hit: Hit, **asked: Any) -> Line | Skip | str:
    selection = Selection(**{"counter": "shop"} | asked)
    selection.check()
    names = Names("shop", selection.names_max) if selection.counter_from else None
    return select(selection, Dialect(lambda _: "", EVERYTHING), names)(hit)


def counted(hit: Hit, **asked: Any) -> bool:
    verdict = decided(hit, **asked)
    assert isinstance(verdict, Line) or verdict is Skip.FILTERED, verdict
    return isinstance(verdict, Line)


def but(**changes: Any) -> Hit:
    return Hit(**{name: getattr(HIT, name) for name in Hit.__struct_fields__} | changes)


def test_every_request_is_a_visit_by_its_address_unless_something_else_is_asked() -> None:
    assert decided(HIT) == Line("shop", "192.0.2.7")
    assert decided(but(address="-")) == Line("shop")
    assert "visitor" in str(decided(but(address="a\udcffb")))
    assert "257 bytes" in str(decided(but(address="a" * 257)))


@pytest.mark.parametrize(
    ("status", "wanted"), [("200", True), ("299", True), ("304", True), ("301", False), ("404", False), ("-", False)]
)
def test_only_answers_that_were_asked_for_count(status: str, wanted: bool) -> None:
    assert counted(but(status=status), statuses=("2xx", "304")) == wanted


def test_only_methods_that_were_asked_for_count() -> None:
    assert counted(HIT, methods=("get", "HEAD"))
    assert not counted(HIT, methods=("POST",))
    assert counted(but(method=None, target=None, request="GET / HTTP/1.1"), methods=("GET",))
    assert not counted(but(method=None, target=None, request="-"), methods=("GET",))


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        ("/blog/", True),
        ("/blog/hello?x=/admin", True),
        ("/shop", True),
        ("/blog", False),
        ("/", False),
        ("/blog/drafts/1", False),
        ("http://www.example.com:80/blog/", True),
        ("http://www.example.com/", False),
        ("*", False),
    ],
)
def test_only_paths_that_begin_as_was_asked_count(target: str, wanted: bool) -> None:
    assert counted(but(target=target), paths=("/blog/", "/shop"), excluded_paths=("/blog/drafts",)) == wanted
    whole = but(target=None, method=None, request=f"GET {target} HTTP/1.1")
    assert counted(whole, paths=("/blog/", "/shop"), excluded_paths=("/blog/drafts",)) == wanted


def test_bots_do_not_count_if_they_are_not_wanted() -> None:
    assert counted(HIT, exclude_bots=True)
    assert not counted(but(agent="Mozilla/5.0 (compatible; Googlebot/2.1)"), exclude_bots=True)
    assert not counted(but(agent="-"), exclude_bots=True)


def test_times_are_from_the_first_on_and_before_the_second() -> None:
    for since, until, wanted in [
        ("2026-11-26T08:00:00+00:00", None, True),
        ("2026-11-26T09:00:01+01:00", None, False),
        (None, "2026-11-26T08:00:00+00:00", False),
        ("2026-11-25", "2026-11-28", True),
    ]:
        assert counted(HIT, since=since, until=until) == wanted
    assert "time" in str(decided(but(time="yesterday"), since="2026-11-25"))


@pytest.mark.parametrize(
    ("attribute", "asked"),
    [
        ("status", {"statuses": ("2xx",)}),
        ("method", {"methods": ("GET",)}),
        ("target", {"paths": ("/",)}),
        ("agent", {"exclude_bots": True}),
        ("time", {"since": "2026-11-25"}),
    ],
)
def test_a_line_that_does_not_tell_what_is_asked_is_bad_and_never_passed_over(
    attribute: str, asked: dict[str, Any]
) -> None:
    assert "does not tell" in str(decided(but(**{attribute: None}), **asked))


# --- counters ---


@pytest.mark.parametrize(
    ("asked", "counter"),
    [
        ("host", "shop.www_example_com"),
        ("path", "shop.blog.hello"),
        ("path:1", "shop.blog"),
        ("field:tenant", "shop.acme_inc"),
    ],
)
def test_a_counter_is_named_by_what_was_asked(asked: str, counter: str) -> None:
    assert decided(but(fields=("acme inc",)), counter_from=asked) == Line(counter, "192.0.2.7")


@pytest.mark.parametrize("asked", ["host", "path", "field:tenant"])
def test_a_request_that_names_none_counts_in_the_counter_above(asked: str) -> None:
    assert decided(but(host="-", target="/", fields=("-",)), counter_from=asked) == Line("shop", "192.0.2.7")
    assert decided(but(host=None, target=None, fields=("",)), counter_from=asked) == Line("shop", "192.0.2.7")


def test_a_host_may_stand_in_a_whole_url() -> None:
    hit = but(host=None, method=None, target=None, request="GET https://www.example.com:443/a HTTP/2.0")
    assert decided(hit, counter_from="host") == Line("shop.www_example_com", "192.0.2.7")


def test_names_are_unescaped_first() -> None:
    assert decided(but(target="/caf\\xC3\\xA9"), counter_from="path") == Line("shop.caf_C3_A9", "192.0.2.7")
    assert decided(but(target="/caf%C3%A9"), counter_from="path") == Line("shop.caf_C3_A9", "192.0.2.7")


def test_at_the_bound_the_rest_counts_above() -> None:
    selection = Selection(counter="shop", counter_from="path", names_max=2)
    decide = select(selection, Dialect(lambda _: "", EVERYTHING), Names("shop", 2))
    found = [decide(but(target=f"/{name}")) for name in ("a", "b", "c", "a", "c/d", "x" * TARGET_LENGTH_MAX * 2)]
    assert [visit.counter for visit in found if isinstance(visit, Line)] == [
        "shop.a", "shop.b", "shop", "shop.a", "shop", "shop"
    ]  # fmt: skip


# --- visitors ---


def test_a_visitor_may_be_nobody_or_a_field() -> None:
    assert decided(HIT, visitor_from="none") == Line("shop")
    assert decided(but(fields=(" user\\x2042 ",)), visitor_from="field:user") == Line("shop", "user 42")
    assert decided(but(fields=("-",)), visitor_from="field:user") == Line("shop")


def test_a_counter_and_a_visitor_may_be_fields() -> None:
    hit = but(fields=("acme", "eve"))
    assert decided(hit, counter_from="field:tenant", visitor_from="field:user") == Line("shop.acme", "eve")
    assert decided(hit, counter_from="field:tenant", visitor_from="field:tenant") == Line("shop.acme", "acme")


# --- wrong wishes ---


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"counter": "a b"}, "cannot name a counter"),
        ({"statuses": ("2x",)}, "--status is '2x'"),
        ({"statuses": ("",)}, "--status is ''"),
        ({"methods": ("G T",)}, "--method is 'G T'"),
        ({"paths": ("blog",)}, "--path is 'blog'"),
        ({"excluded_paths": ("",)}, "--exclude-path is ''"),
        ({"counter_from": "url"}, "--counter-from is 'url'"),
        ({"counter_from": "path:0"}, "--counter-from is 'path:0'"),
        ({"counter_from": "field:"}, "--counter-from is 'field:'"),
        ({"counter": None, "counter_from": "host"}, "say --counter NAME"),
        ({"visitor_from": "cookie"}, "--visitor-from is 'cookie'"),
        ({"names_max": 0}, "--names-max is 0"),
        ({"since": "yesterday"}, "--since is 'yesterday'"),
        ({"until": "2026-13-01"}, "--until is '2026-13-01'"),
        ({"since": "2026-11-27", "until": "2026-11-26"}, "is not before"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(asked: dict[str, Any], why: str) -> None:
    with pytest.raises(FootfallError, match=why):
        Selection(**{"counter": "shop"} | asked).check()


@pytest.mark.parametrize(
    ("form", "asked", "why"),
    [
        (Format.COMMON, {"exclude_bots": True}, "--exclude-bots needs the user agent"),
        (Format.COMBINED, {"counter_from": "host"}, "--counter-from needs the host"),
        (Format.COMBINED, {"visitor_from": "field:user"}, "--log-format"),
        (Format.LINES, {"statuses": ("2xx",)}, "--status asks for what lines of format lines do not tell"),
        (Format.JSONL, {"excluded_paths": ("/a",)}, "--exclude-path asks for what"),
        (Format.JSONL, {"counter_from": "path"}, "--counter-from asks for what"),
        (Format.LINES, {"visitor_from": "field:user"}, "have no fields"),
    ],
)
def test_a_wish_that_the_log_cannot_tell_of_is_refused(form: Format, asked: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        parser(Reading(form), Selection(counter="shop", **asked), Names("shop"))


def test_a_format_without_the_client_s_address_needs_another_visitor() -> None:
    reading = Reading(Format.NGINX, "$status $request")
    with pytest.raises(ConfigError, match="--visitor-from none"):
        parser(reading, Selection(counter="shop"))
    assert parser(reading, Selection(counter="shop", visitor_from="none"))(b"200 GET / HTTP/1.1") == Line("shop")


def test_json_lines_may_name_counter_and_visitor_in_fields_of_their_own() -> None:
    selection = Selection(counter="shop", counter_from="field:site", visitor_from="field:user.id")
    parse = parser(Reading(Format.JSONL), selection, Names("shop"))
    assert parse(b'{"site":"blog","user":{"id":7},"count":2,"more":true}') == Line("shop.blog", "7", None, 2)
    assert parse(b'{"visitor":"eve"}') == Line("shop")
    assert parse(b'{"count":0}') == "the count is 0; it must be a whole number from 1 to 1000000000"
    anonymous = parser(Reading(Format.JSONL), Selection(counter="shop", visitor_from="none"))
    assert anonymous(b'{"visitor":"eve"}') == Line("shop")
    assert parser(Reading(Format.LINES), Selection(counter="shop", visitor_from="none"))(b"eve") == Line("shop")


# --- laws ---


WAYS = ["host", "path", "path:2", "field:x"]


@given(st.text(), st.text(), st.text(), st.sampled_from(WAYS), st.integers(1, 4), st.randoms())
def test_whatever_a_request_says_it_counts_below_the_counter_that_was_named(
    target: str, host: str, value: str, asked: str, names_max: int, source: random.Random
) -> None:
    hit = but(target=source.choice(["", "/"]) + target, host=host, fields=(value,))
    visit = decided(hit, counter_from=asked, names_max=names_max)
    assert isinstance(visit, Line)
    assert "shop" in lineage(visit.counter)
