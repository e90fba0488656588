"""Who is a bot."""

import re

import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA
from hypothesis import given
from hypothesis import strategies as st

from footfall import bots
from footfall.bots import is_bot, matcher

BROWSERS = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1",
]


@pytest.mark.parametrize("agent", BROWSERS)
def test_a_browser_is_no_bot(agent: str) -> None:
    assert not is_bot(agent)


@pytest.mark.parametrize(
    "agent", ["curl/8.5.0", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"]
)
def test_crawlers_and_scripts_are_bots(agent: str) -> None:
    assert is_bot(agent)


@pytest.mark.parametrize("agent", [None, "", "-"])
def test_who_does_not_name_itself_is_a_bot(agent: str | None) -> None:
    assert is_bot(agent)


def test_every_bot_that_the_list_gives_as_an_example_is_found() -> None:
    examples = [example for crawler in CRAWLER_USER_AGENTS_DATA for example in crawler["instances"] if example]
    assert len(examples) > 1_000
    assert [example for example in examples if not is_bot(example)] == []


def test_plain_texts_are_found_as_the_list_s_own_expressions_find_them() -> None:
    patterns = [crawler["pattern"] for crawler in CRAWLER_USER_AGENTS_DATA]
    one = re.compile("|".join(patterns))
    matches = matcher(patterns)
    for agent in (*BROWSERS, *(pattern.replace("\\", "") for pattern in patterns), *map(str.lower, patterns)):
        assert matches(agent) == (one.search(agent) is not None), agent


@given(
    st.sampled_from(["a.b", r"a\.b", "^a", r"a\/b", r"a\d", "a|c", "[ab]c", "ab", r"\(a", "a$"]),
    st.text("ab./c1(", max_size=5),
)
def test_a_pattern_matches_as_the_regular_expression_that_it_is(pattern: str, text: str) -> None:
    assert matcher([pattern])(text) == (re.search(pattern, text) is not None)


def test_no_more_of_a_user_agent_is_looked_at_or_remembered_than_is_said() -> None:
    assert not is_bot("x" * bots.AGENT_LENGTH_MAX + "Googlebot/")
    assert is_bot("x" * (bots.AGENT_LENGTH_MAX - 10) + "Googlebot/")
    assert bots._is_listed.cache_info().maxsize == bots.AGENTS_MAX
