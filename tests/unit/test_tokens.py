"""Files of tokens: what they say, what is wrong with them, and who is found by a secret."""

import contextlib
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.errors import ConfigError
from footfall.web.tokens import Scope, Token, bearer, parse_tokens

SECRET = "a-secret-of-26-characters."


def test_a_file_names_tokens_with_what_they_are_good_for() -> None:
    digest = sha256(b"another").hexdigest()
    tokens = parse_tokens(
        f'[site]\nsecret = "{SECRET}"\nscopes = ["write", "read"]\ncounters = ["shop", "blog.en"]\nrate = 100\n'
        f'["operator.x"]\nsha256 = "{digest}"\nscopes = ["admin"]\n',
        "the file",
    )
    assert len(tokens) == 2
    site = Token(
        "site", sha256(SECRET.encode()).digest(), frozenset({Scope.WRITE, Scope.READ}), ("shop", "blog.en"), 100.0
    )
    assert tokens.find(SECRET.encode()) == site
    assert tokens.find(b"another") == Token("operator.x", bytes.fromhex(digest), frozenset({Scope.ADMIN}))
    assert tokens.find(SECRET.encode()[:-1]) is None
    assert tokens.find(digest.encode()) is None
    assert tokens.find(b"") is None


def test_one_line_is_enough_for_a_token() -> None:
    tokens = parse_tokens(f'site = {{ secret = "{SECRET}", scopes = ["write"] }}', "FOOTFALL_TOKENS")
    assert tokens.find(SECRET.encode()) is not None


def table(**fields: str) -> str:
    fields = {"secret": f'"{SECRET}"', "scopes": '["read"]', **fields}
    return "[site]\n" + "".join(f"{name} = {value}\n" for name, value in fields.items() if value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has 0 tokens"),
        ("[site", "cannot be read as TOML"),
        ("a = " + "[" * 5000, "cannot be read as TOML"),
        (table() + table(), "cannot be read as TOML"),
        ('site = "text"', "token 'site': it is no table"),
        (table().replace("site", '"a site"'), "token 'a site': name: write 1 to 64"),
        (table(scope="1"), "token 'site': scope: there is no such field"),
        (table(secret=""), "token 'site': secret: write either"),
        (table(sha256=f'"{"0" * 64}"'), "token 'site': secret: write either"),
        (table(secret='"replace-by-openssl-rand-base64-32"'), "token 'site': secret: it is the one of an example"),
        (table(secret='"twenty-one-characters"'), "token 'site': secret: it has 21 characters"),
        (table(secret=f'"{"a" * 257}"'), "token 'site': secret: it has 257 characters"),
        (table(secret='"with blanks, and so on and on"'), "token 'site': secret: write letters"),
        (table(secret='"é234567890123456789012"'), "token 'site': secret: write letters"),
        (table(secret="1234567890123456789012"), "token 'site': secret: write letters"),
        (table(secret="", sha256='"abc"'), "token 'site': sha256: write 64 digits"),
        (table(secret="", sha256=f'"{"A" * 64}"'), "token 'site': sha256: write 64 digits"),
        (table(secret="", sha256="1"), "token 'site': sha256: write 64 digits"),
        (table(scopes=""), "token 'site': scopes: write a list of read, write, admin"),
        (table(scopes="[]"), "token 'site': scopes"),
        (table(scopes='"read"'), "token 'site': scopes"),
        (table(scopes='["read", "delete"]'), "token 'site': scopes"),
        (table(scopes="[[1]]"), "token 'site': scopes"),
        (table(counters="[]"), "token 'site': counters: write a list"),
        (table(counters='"shop"'), "token 'site': counters: write a list"),
        (table(counters="[1]"), "token 'site': counters: write a list"),
        (table(counters='["a b"]'), "token 'site': counters: 'a b' cannot name a counter"),
        (table(counters='["shop."]'), "token 'site': counters: 'shop.' cannot name a counter"),
        (table(rate='"1"'), "token 'site': rate"),
        (table(rate="true"), "token 'site': rate"),
        (table(rate="-1"), "token 'site': rate"),
        (table(rate="nan"), "token 'site': rate"),
        (table(rate="inf"), "token 'site': rate"),
        (table() + table().replace("site", "other"), "token 'other': secret: it is that of 'site' too"),
    ],
)
def test_a_wrong_file_gets_one_line_that_names_token_and_field_and_no_secret(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        parse_tokens(text, "tokens.toml")
    assert str(refusal.value).startswith("tokens.toml")
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)
    for secret in (SECRET, "twenty-one-characters", "with blanks", "a" * 100):
        assert secret not in str(refusal.value)


@given(text=st.text(max_size=100) | st.text("[]=.\"'\n# as1", max_size=40))
def test_any_text_is_tokens_or_a_config_error(text: str) -> None:
    with contextlib.suppress(ConfigError):
        parse_tokens(text, "x")


names = st.from_regex(r"[a-c]{1,2}(\.[a-c]{1,2}){0,2}", fullmatch=True)


@given(prefixes=st.lists(names, max_size=3), counter=names)
def test_a_token_covers_its_counters_and_what_is_below_them(prefixes: list[str], counter: str) -> None:
    token = Token("t", b"", frozenset(Scope), tuple(prefixes))
    parts = counter.split(".")
    lineage = {".".join(parts[: depth + 1]) for depth in range(len(parts))}
    assert token.covers(counter) == (not prefixes or bool(lineage & set(prefixes)))


@pytest.mark.parametrize(
    ("value", "secret"),
    [
        (b"Bearer abc", b"abc"),
        (b"bearer  abc ", b"abc"),
        (b"BEARER abc", b"abc"),
        (b"Bearer", None),
        (b"Bearer ", None),
        (b"Bearerabc", None),
        (b"Basic abc", None),
        (b"abc", None),
        (b"", None),
    ],
)
def test_the_secret_stands_behind_the_word_bearer(value: bytes, secret: bytes | None) -> None:
    assert bearer(value) == secret
