"""Which answered requests are visits, to which counter and by whom."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.client.rules import Bounded, Options, Request, Rules, by_host, by_path
from footfall.core.names import PARTS_MAX, is_name, lineage
from footfall.core.visit import Visit
from footfall.errors import ConfigError, InvalidNameError, TooManyCountersError

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def request(**given: Any) -> Request:
    fields: dict[str, Any] = {
        "method": "GET", "path": "/", "host": "example.com", "headers": {}, "address": None, "status": 200,
    }  # fmt: skip
    return Request(**(fields | given))


def visit(counter: Any = "shop", asked: Request | None = None, **options: Any) -> Visit | None:
    """What a request is under these options."""
    return Rules(counter, Options(**options)).visit(asked or request())  # type: ignore[typeddict-item]


def test_a_request_counts_in_the_counter_that_is_named() -> None:
    assert visit("shop") == Visit("shop")


def test_a_function_chooses_the_counter_or_none() -> None:
    def chosen(asked: Request) -> str | None:
        return "shop.sold" if asked.path == "/thanks" else None

    assert visit(chosen, request(path="/thanks")) == Visit("shop.sold")
    assert visit(chosen, request(path="/")) is None


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/", "shop"), ("/books/new.html", "shop.books.new_html"), ("/books/", "shop.books"), ("/é", "shop._C3_A9"),
        ("/a" * 20, "shop" + ".a" * 7), ("/" + "x" * 300, "shop"),
    ],
)  # fmt: skip
def test_paths_are_told_apart(path: str, name: str) -> None:
    assert visit(by_path("shop"), request(path=path)) == Visit(name)


def test_of_a_path_no_more_directories_are_told_apart_than_asked() -> None:
    assert visit(by_path("shop", depth=1), request(path="/books/new/one")) == Visit("shop.books")


@pytest.mark.parametrize(
    ("host", "name"), [("www.Example.com:8443", "sites.www_example_com"), ("[::1]:80", "sites.__1"), ("", "sites")]
)
def test_hosts_are_told_apart(host: str, name: str) -> None:
    assert visit(by_host("sites"), request(host=host)) == Visit(name)


@given(st.text(), st.text())
def test_whatever_is_asked_for_counts_in_a_counter_at_or_below_the_prefix(path: str, host: str) -> None:
    for chosen in (by_path("a.b"), by_host("a.b")):
        name = chosen(request(path=path, host=host))
        assert is_name(name)
        assert "a.b" in lineage(name)


@pytest.mark.parametrize("wrong", ["", "a..b", "a b", "é", ".".join("a" * (PARTS_MAX + 1))])
def test_what_is_no_name_is_refused_at_the_start(wrong: str) -> None:
    for make in (by_path, by_host, lambda name: Rules(name, {})):
        with pytest.raises(InvalidNameError):
            make(wrong)


def test_what_a_function_returns_must_be_a_name() -> None:
    with pytest.raises(InvalidNameError):
        visit(lambda _: "no name")


def test_no_more_counters_are_visited_than_may_be_and_the_rest_counts_in_the_nearest_above() -> None:
    names = Bounded(4)
    assert [names.admit(name) for name in ("shop.a.b", "shop.c")] == ["shop.a.b", "shop.c"]
    assert [names.admit(name) for name in ("shop.d", "shop.a.x.y", "shop.c", "shop")] == [
        "shop", "shop.a", "shop.c", "shop",
    ]  # fmt: skip
    assert names.admit("blog") is None


@given(st.lists(st.from_regex(r"\A[ab](\.[abc]){0,3}\Z"), max_size=40), st.integers(1, 12))
def test_a_bound_is_never_passed_and_a_name_is_never_another_than_itself_or_one_above(
    asked: list[str], names_max: int
) -> None:
    names = Bounded(names_max)
    admitted = [(name, names.admit(name)) for name in asked]
    assert all(found is None or found in lineage(name) for name, found in admitted)
    assert len({counter for _, found in admitted if found for counter in lineage(found)}) <= names_max


def test_a_function_that_returns_ever_new_names_is_told_of_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("footfall.client.rules.NAMES_MAX", 2)
    rules = Rules(lambda asked: asked.path[1:], {})
    assert rules.visit(request(path="/a")) == Visit("a")
    assert rules.visit(request(path="/b")) == Visit("b")
    with pytest.raises(TooManyCountersError, match="2 counters"):
        rules.visit(request(path="/c"))


def test_only_successful_answers_to_get_count_unless_told_otherwise() -> None:
    rules = Rules("shop", {})
    assert [rules.may_count(method, "/") for method in ("GET", "HEAD", "POST", "OPTIONS")] == [True] + 3 * [False]
    assert [status for status in (101, 199, 200, 206, 304, 399, 400, 404, 500) if rules.counts(status)] == [
        200, 206, 304, 399,
    ]  # fmt: skip
    other = Rules("shop", {"methods": ("post",), "statuses": (201,)})
    assert (other.may_count("POST", "/"), other.may_count("GET", "/")) == (True, False)
    assert (other.counts(201), other.counts(200)) == (True, False)


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("/shop", True), ("/shop/", True), ("/shop/books", True), ("/shopping", False), ("/", False),
        ("/shop/static/x.css", False), ("/shop/static", False), ("/shop/statics", True),
    ],
)  # fmt: skip
def test_what_is_included_and_excluded_are_whole_directories(path: str, counts: bool) -> None:
    assert Rules("shop", {"include": ["/shop"], "exclude": ["/shop/static/"]}).may_count("GET", path) is counts


def test_including_the_root_includes_everything() -> None:
    assert Rules("shop", {"include": ["/"]}).may_count("GET", "/any")


@pytest.mark.parametrize(
    ("agent", "counts"), [(BROWSER, True), ("Googlebot/2.1", False), ("curl/8.5.0", False), (None, False)]
)
def test_bots_are_left_out_if_asked(agent: str | None, counts: bool) -> None:
    asked = request(headers={"user-agent": agent} if agent else {})
    assert (visit(asked=asked, exclude_bots=True) is not None) is counts
    assert visit(asked=asked) is not None


@pytest.mark.parametrize("headers", [{"dnt": "1"}, {"sec-gpc": "1"}])
def test_who_does_not_want_to_be_tracked_is_left_out_if_asked(headers: dict[str, str]) -> None:
    assert visit(asked=request(headers=headers), do_not_track=True) is None
    assert visit(asked=request(headers=headers)) is not None
    assert visit(asked=request(headers={"dnt": "0"}), do_not_track=True) is not None


def visitor(address: str | None, **options: Any) -> str | None:
    found = visit(asked=request(address=address), **options)
    assert found is not None
    return found.visitor


def test_a_visitor_is_a_keyed_hash_of_the_address() -> None:
    options = {"visitor": "address", "visitor_key": "secret"}
    one = visitor("203.0.113.7", **options)
    assert one is not None
    assert "203" not in one
    assert one == visitor("203.0.113.7", **options) == visitor("::ffff:203.0.113.7", **options)
    assert one != visitor("203.0.113.8", **options)
    assert one != visitor("203.0.113.7", visitor="address", visitor_key="another")
    assert visitor(None, **options) is None
    assert visitor("testclient", **options) is None


def test_a_household_with_ipv6_is_one_visitor() -> None:
    options = {"visitor": "address", "visitor_key": "secret"}
    assert visitor("2001:db8::1", **options) == visitor("2001:db8::ffff", **options)
    assert visitor("2001:db8::1", **options) != visitor("2001:db8:0:1::1", **options)


def test_a_visitor_is_the_address_itself_if_that_is_what_was_said() -> None:
    assert visitor("203.0.113.7", visitor="plain-address") == "203.0.113.7"


def test_a_function_tells_the_visitor() -> None:
    asked = request(headers={"x-user": "ann"})
    assert visit(asked=asked, visitor=lambda one: one.headers.get("x-user")) == Visit("shop", "ann")


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("10.0.0.1", "198.51.100.9, 203.0.113.7", "203.0.113.7"),
        ("10.0.0.1", "198.51.100.9, 203.0.113.7, 10.0.0.2", "203.0.113.7"),
        ("192.0.2.1", "203.0.113.7", "192.0.2.1"),
        ("10.0.0.1", "nonsense\u20ac", "10.0.0.1"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("testclient", "203.0.113.7", "testclient"),
        (None, "203.0.113.7", None),
    ],
)
def test_only_trusted_proxies_are_believed_for_whom_they_speak(
    peer: str | None, forwarded: str | None, address: str | None
) -> None:
    headers = {"x-forwarded-for": forwarded} if forwarded else {}
    assert Rules("shop", {"trusted_proxies": ["10.0.0.0/8"]}).client_address(peer, headers) == address
    assert Rules("shop", {}).client_address(peer, headers) == peer


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"include": "/shop"}, r"must be a list, such as \['/shop'\]"),
        ({"exclude": ["static"]}, "exclude has 'static'; a path starts with /, such as /static"),
        ({"trusted_proxies": ["10.0.0.1/8"]}, "trusted_proxies: 10.0.0.1/8 has host bits set"),
        ({"trusted_proxies": "10.0.0.1"}, "must be a list"),
        ({"methods": "GET"}, r"methods is 'GET'; it must be a list"),
        ({"visitor": "addres"}, "visitor is 'addres'; it must be 'address', 'plain-address' or a function"),
        ({"visitor": "address"}, "needs a visitor_key"),
    ],
)
def test_an_option_that_cannot_be_is_told_at_the_start(options: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Rules("shop", options)


def test_what_every_request_is_needs_no_looking() -> None:
    assert Rules("shop", {}).fixed == Visit("shop")
    for options in ({"exclude_bots": True}, {"do_not_track": True}, {"visitor": "plain-address"}):
        assert Rules("shop", options).fixed is None  # type: ignore[arg-type]
    assert Rules(by_path("shop"), {}).fixed is None
