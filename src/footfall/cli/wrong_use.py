"""Says what is wrong with what was typed, in one line, and what may have been meant. Pure."""

import re
from collections.abc import Sequence
from difflib import get_close_matches

from cyclopts import (
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    UnknownCommandError,
    UnusedCliTokensError,
)

SECRETS = ("secret", "tokens", "token")  # how the names of flags end whose values are not shown


def told(error: CycloptsError) -> str:
    """What is wrong, and where the right use is told."""
    command = " ".join(("footfall", *(error.command_chain or ())))
    return f"{_wrong(error)} (see {command} --help)"


def _wrong(error: CycloptsError) -> str:
    match error:
        case UnknownCommandError(unused_tokens=[typed, *others], app=app) if app is not None:
            if typed.startswith("-") and others:
                return f"{typed} stands before the command: write it after"
            return _unknown(typed, sorted(app))
        case UnusedCliTokensError(unused_tokens=[*tokens]):
            return f"there is no use for {' '.join(map(repr, tokens))}{next(filter(None, map(meant_flag, tokens)), '')}"
        case MissingArgumentError(argument=argument) if argument is not None:
            given = error.keyword or next((token.keyword for token in argument.tokens if token.keyword), None)
            return f"{given} needs a value" if given else f"{argument.name} is missing"
        case CoercionError(argument=argument) if argument is not None and argument.name.endswith(SECRETS):
            return f"the value of {argument.name} is not one text"
    text = str(error).strip().rstrip(".")
    source = error.token.source if isinstance(error, CoercionError) and error.token is not None else ""
    return text if source in ("", "cli", "env") or source in text else f"{text} (in {source})"


def meant_flag(text: str) -> str:
    """To end a line with: which flag was meant, where an editor has made a dash of its hyphens; empty if none was."""
    found = re.fullmatch(r"[\N{EN DASH}\N{EM DASH}]([a-z][a-z-]*)", text)
    return f": a flag begins with two hyphens, --{found[1]}" if found else ""


def _unknown(typed: str, commands: Sequence[str]) -> str:
    """There is no such command: which one may have been meant, or, if none is near, all."""
    meant = {name.lstrip("-"): name for name in commands}
    near = get_close_matches(typed.lower().lstrip("-"), meant, n=1, cutoff=0.5)
    named = ", ".join(name for name in commands if not name.startswith("-"))
    return f"there is no command {typed!r}: " + (f"did you mean {meant[near[0]]}?" if near else f"there are {named}")
