"""What shells complete: their scripts, and the names of counters, which only a node can tell."""

from contextlib import suppress
from pathlib import Path
from typing import Literal

from cyclopts import App
from cyclopts.completion import CompletionContext
from cyclopts.completion.detect import ShellDetectionError, detect_shell

from footfall.cli.arguments import Where
from footfall.errors import ConfigError, FootfallError

SHELLS = ("bash", "zsh", "fish")
Shell = Literal["bash", "zsh", "fish"]
PATIENCE_S = 1.0  # of a person who has pressed Tab
NAMES_MAX = 1_000  # below one counter


def install(app: App, shell: Shell | None, output: Path | None) -> None:
    """Write a shell's script where it looks for it, or to ``output``, and say so. Raises ConfigError."""
    chosen = shell or _detected()
    written = app.install_completion(shell=chosen, output=output, add_to_startup=output is None)
    needs = "; its ~/.zshrc needs: autoload -Uz compinit && compinit" if chosen == "zsh" else ""
    print(f"{chosen} completes footfall by {written}: open a new shell to use it{needs}")


def _detected() -> Shell:
    with suppress(ShellDetectionError):
        found = detect_shell()
        if found != "powershell":
            return found
    raise ConfigError("this shell is not known: name one, as in footfall --install-completion bash")


def counters_there(context: CompletionContext) -> list[str]:
    """The counters that the name so far may become, level by level; none if the node does not answer at once."""
    from footfall.cli.client import Client

    given = {name: argument.value for name in ("url", "token", "ca") if (argument := context.get(name))}
    with suppress(FootfallError, TypeError), Client(Where(**given), timeout_s=PATIENCE_S) as client:
        return [
            name
            for row in client.below(context.incomplete.rpartition(".")[0], NAMES_MAX)
            for name in ([row["counter"], f"{row['counter']}."] if row.get("children") else [row["counter"]])
        ]
    return []
