"""Names of counters made from hosts, paths and texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.core.names import is_name, lineage
from footfall.errors import InvalidNameError
from footfall.naming import Names, below, host_parts, path_parts, text_parts


@pytest.mark.parametrize(
    ("host", "part"),
    [
        ("example.com", "example_com"),
        ("WWW.Example.com:8080", "www_example_com"),
        ("my-shop.example.", "my-shop_example"),
        ("xn--mnchen-3ya.de", "xn--mnchen-3ya_de"),
        ("203.0.113.7:80", "203_0_113_7"),
        ("[2001:db8::1]:8443", "2001_db8__1"),
        ("[2001:DB8::1]", "2001_db8__1"),
        ("münchen.de", "m_C3_BCnchen_de"),
        ("_", "_"),
        ("evil'; drop", "evil___drop"),
    ],
)
def test_a_host_is_one_part_in_lower_case_without_its_port(host: str, part: str) -> None:
    assert host_parts(host) == (part,)


@pytest.mark.parametrize("host", ["", "-", ":80", "[]"])
def test_no_host_has_no_part(host: str) -> None:
    assert host_parts(host) == ()


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("/", ()),
        ("/blog", ("blog",)),
        ("/blog/", ("blog",)),
        ("//blog///2026/hello.html?utm=1#top", ("blog", "2026", "hello_html")),
        ("/caf%C3%A9", ("caf_C3_A9",)),
        ("/café", ("caf_C3_A9",)),
        ("/%7Euser", ("_user",)),
        ("/~user", ("_user",)),
        ("/a b/../-", ("a_b", "__", "-")),
        ("/100%", ("100_",)),
        ("http://example.com:80/shop/cart?x", ("shop", "cart")),
        ("https://example.com", ()),
        ("https://example.com?q=/a", ()),
        ("*", ()),
        ("example.com:443", ()),
        ("", ()),
        ("-", ()),
    ],
)
def test_a_path_has_a_part_for_each_directory(path: str, parts: tuple[str, ...]) -> None:
    assert path_parts(path) == parts


def test_of_a_path_no_more_parts_are_taken_than_asked() -> None:
    assert path_parts("/a/b/c", 1) == ("a",)
    assert path_parts("/a/b/c", 2) == ("a", "b")
    assert path_parts("/a/b/c", 9) == ("a", "b", "c")


def test_what_does_not_fit_into_a_name_counts_in_the_counter_above() -> None:
    assert below("shop", ("a",) * 20) == "shop" + ".a" * 7
    assert below("a.b.c.d.e.f.g.h", ("i",)) == "a.b.c.d.e.f.g.h"
    assert below("shop", ("a", "x" * 200, "b")) == "shop.a"
    assert below("shop", ()) == "shop"


def test_no_more_counters_are_made_than_said_and_the_rest_counts_in_the_nearest_one_above() -> None:
    names = Names("shop", names_max=3)
    assert names.name(("blog", "first")) == "shop.blog.first"
    assert not names.full
    assert names.name(("cart",)) == "shop.cart"
    assert (names.full, len(names)) == (True, 3)
    assert names.name(("blog", "second")) == "shop.blog"
    assert names.name(("blog", "first")) == "shop.blog.first"
    assert names.name(("new", "path")) == "shop"
    assert names.name(()) == "shop"
    assert len(names) == 3


def test_counters_that_are_there_already_count() -> None:
    names = Names("shop", names_max=2, known=["shop", "shop.a", "shop.b", "shopping.c"])
    assert names.full
    assert names.name(("a",)) == "shop.a"
    assert names.name(("c",)) == "shop"


def test_a_prefix_is_a_counter_s_name() -> None:
    with pytest.raises(InvalidNameError, match="cannot name a counter"):
        Names("a b")


@given(st.text() | st.binary().map(lambda data: data.decode(errors="surrogateescape")), st.integers(1, 10))
def test_whatever_is_said_gives_names_that_a_counter_can_have(text: str, depth: int) -> None:
    for parts in (text_parts(text), host_parts(text), path_parts(text, depth), path_parts("/" + text, depth)):
        assert all(is_name(part[:200]) and "." not in part for part in parts)
        assert is_name(below("shop", parts))


@given(st.lists(st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=9)), st.integers(0, 12))
def test_a_name_is_the_whole_one_or_one_above_it_and_all_of_them_are_bounded(paths: list[list[str]], most: int) -> None:
    names = Names("shop", names_max=most)
    made = set()
    for path in paths:
        name = names.name(path)
        assert name in lineage(below("shop", path))
        made |= set(lineage(name)) - {"shop"}
    assert len(made) == len(names) <= most
