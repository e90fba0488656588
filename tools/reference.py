"""Writes two pages of the documentation from the code: docs/configuration.md and docs/cli.md.

Run it after a change to settings or commands: make reference.
"""

import re
import sys
from pathlib import Path
from typing import Any, get_args, get_origin
from unittest.mock import patch

from cyclopts import Argument

from footfall.cli import EXIT_CODES
from footfall.cli.app import app
from footfall.config import Config

DOCS = Path(__file__).parents[1] / "docs"
SECTIONS = {
    "The node": ("data", "http", "node", "nodes", "topology", "config", "open", "log_format", "log_level", "otlp_"),
    "HTTP over TLS": ("tls_",),
    "The log": ("nats", "partitions", "replicas", "log_bytes_max", "spool_", "cut_interval_s", "alarms_seen"),
    "Secrets and tokens": ("secret", "tokens", "public_", "cors_origins"),
    "Visits and visitors": ("define_on_visit", "counters_max", "visitor_", "hash_", "trusted_proxies"),
    "Rates and connections": ("rate_", "connections_", "request_timeout_s"),
    "Milestones": ("closing_", "webhook", "keep_proofs", "proof_", "store_"),
    "Backups": ("backup",),
    "Between nodes": ("beat_", "silence_", "lag_", "broadcast_", "anti_entropy_", "gather_"),
}
OTHERS = "Others"
ONLY_FLAGS = ("config", "open")  # of serve, and not in a file
INTRODUCTION = """# Configuration

<!-- Made by tools/reference.py from the code: change it there. -->

Every setting of `footfall serve` is a flag, an environment variable and a key in a TOML file. A flag wins over a
variable, and a variable over the file that `--config` (or `FOOTFALL_CONFIG`) names. Messages name a setting as it was
given. Durations are in seconds, sizes in bytes. Nothing has to be set for one node on one machine; for several, begin
with [deployment](deployment.md).

```toml
# footfall.toml: footfall serve --config footfall.toml
http = "0.0.0.0:8080"
nats = ["nats://a:4222", "nats://b:4222", "nats://c:4222"]
tokens_file = "/etc/footfall/tokens.toml"
public_reads = true
cut_interval_s = 10.0
```

Switch a setting on or off with `--public-reads` or `--no-public-reads`, or with `true` or `false` in a variable. Lists
are separated by commas. Secrets belong in variables or files: everyone on the machine can see flags.
"""
COMMANDS = """# Command line

<!-- Made by tools/reference.py from the code: change it there. -->

Every command has `--help`. On a terminal, lists have columns. In a pipe or a file they are for programs, too: the
first line names the columns, tabs separate them, and numbers are digits only; `tail -n +2` leaves the names out.

Every command that prints a result has `--json` (`serve` keeps running, and `demo` is for people). It prints one JSON
value with stable keys, on one line; `ingest` prints one for each log, and `read --watch` and `backup --every` print one
each time. Errors and everything else go to stderr. `NO_COLOR` turns colours off.

`footfall --install-completion` completes commands, flags, and the names of counters that a node has, in bash, zsh and
fish.

## Exit codes

| code | meaning |
|---|---|
{codes}

"""


def settings() -> list[Argument]:
    """All settings of a node."""
    return [one for one in app["serve"].assemble_argument_collection() if one.show]


def configuration() -> str:
    """The page on settings."""
    rows: dict[str, list[str]] = {title: [] for title in (*SECTIONS, OTHERS)}
    for argument in settings():
        rows[section(key_of(argument))].append(row(argument))
    parts = [INTRODUCTION]
    for title, found in rows.items():
        if found:
            head = f"## {title}\n\n| setting | default | meaning |\n|---|---|---|\n"
            parts.append(head + "\n".join(found) + "\n")
    return "\n".join(parts)


def section(key: str) -> str:
    """Where a setting is told of: the longest beginning of its name that is listed decides."""
    fitting = [(len(one), title) for title, ones in SECTIONS.items() for one in ones if key.startswith(one)]
    return max(fitting)[1] if fitting else OTHERS


def key_of(argument: Argument) -> str:
    """A setting's name in a file."""
    return argument.name.removeprefix("--").replace("-", "_")


def row(argument: Argument) -> str:
    """One setting: how it is named in each place, its default, and what it means."""
    key = key_of(argument)
    names = [f"`{argument.name}`", f"`FOOTFALL_{key.upper()}`"]
    if key not in ONLY_FLAGS:
        names.append(f"`{key}`")
    meaning = (argument.parameter.help or "").replace("|", "\\|")
    return f"| {'<br>'.join(names)} | {default(argument)} | {meaning}{choices(argument)} |"


def default(argument: Argument) -> str:
    """What holds if nobody says anything."""
    key = key_of(argument)
    value: Any = argument.field_info.default
    if value is None and key in Config.__struct_fields__:
        value = getattr(Config(), key)
    if value in (None, "", ()):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return (
        f"{value:,}"
        if isinstance(value, int) and value >= 10_000
        else f"{value:g}"
        if isinstance(value, float)
        else f"`{value}`"
    )


def choices(argument: Argument) -> str:
    """The values that it may have, if they are few."""
    hints = [argument.hint, *get_args(argument.hint)]
    found = [str(one) for hint in hints if "Literal" in str(get_origin(hint)) for one in get_args(hint)]
    return f" One of {', '.join(f'`{one}`' for one in found)}." if found else ""


def commands() -> str:
    """The page on commands."""
    codes = "\n".join(f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items())
    with patch.object(
        sys, "argv", ["footfall"]
    ):  # cyclopts tells the usage of a command with the running program's name
        text = app.generate_docs("markdown", heading_level=1)
    text = text[text.index("\n**") + 1 :]  # behind what is said of the whole, and a table of contents
    text = re.sub(r" \*\[default: (False|\(\))\]\*", "", text)
    text = re.sub(r"^footfall (.+) \1 \[", r"footfall \1 [", text, flags=re.MULTILINE)  # of a usage that the code has
    text = re.sub(
        r"(## footfall serve\n.*?\n\*\*Parameters\*\*:\n\n).*?(?=\n## )", r"\1" + SERVE, text, flags=re.DOTALL
    )
    return COMMANDS.format(codes=codes) + "## Commands\n\n" + text.rstrip() + "\n"


SERVE = "See [configuration](configuration.md).\n"


if __name__ == "__main__":
    (DOCS / "configuration.md").write_text(configuration())
    (DOCS / "cli.md").write_text(commands())
