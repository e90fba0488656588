"""The command line: what ``footfall`` runs, and how every error ends it."""

import io
import os
import sys
from collections.abc import Sequence

from cyclopts import CycloptsError

from footfall.cli import output
from footfall.cli.naming import NAMES
from footfall.cli.wrong_use import told
from footfall.errors import (
    ConfigError,
    ConnectError,
    EngineFailedError,
    FootfallError,
    InvalidNameError,
    InvalidRequestError,
    InvalidVisitError,
    SetupError,
    UnknownUnitError,
)

DONE = 0
FAILED = 1
WRONG_USE = 2
INTERRUPTED = 130  # 128 and the number of SIGINT, as shells have it
PIPE_CLOSED = 141  # 128 and the number of SIGPIPE
TERMINATED = 143  # 128 and the number of SIGTERM
EXIT_CODES = {
    DONE: "Done. `serve`, `top`, `ingest --follow` and `backup --every` end so when they are stopped.",
    FAILED: "It failed, and one line on stderr says why: a node or the log was not there in time, or refused. "
    "`doctor`: something is `BAD`. `audit`: the log tells another winner than was announced, or none yet. "
    "`backups`: there is none, or one is damaged. `ingest`: no line could be read (single bad lines are "
    "told, and are no failure), a compressed file is damaged, one of several files failed, or the node was away for "
    "longer than `--timeout`. `milestone show --wait`: not reached within `--timeout`. `demo`: a node did not count "
    "exactly.",
    WRONG_USE: "Wrong use: a flag, a setting, a file or a name that cannot be. Nothing was done.",
    INTERRUPTED: "Interrupted with Ctrl-C.",
    PIPE_CLOSED: "Who read the output has closed it.",
    TERMINATED: "Ended by SIGTERM; `ingest` stores what is on its way before.",
}

_FAILURES = (ConnectError, EngineFailedError)  # of what is around: the same command may succeed later
_WRONG_USE_ERRORS = (SetupError, InvalidNameError, InvalidRequestError, InvalidVisitError, UnknownUnitError)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code.

    Args:
        arguments: What follows ``footfall``; the process's own arguments if None.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal or a pipe that has not every letter ends nothing
    os.umask(0o077)  # what is kept names visitors and holds secrets: it is for this user alone
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit code. Says what went wrong in one line on stderr."""
    from footfall.cli.app import app

    if list(arguments[:1]) == ["help"]:
        arguments = [*arguments[1:], "--help"]
    try:
        code = app(list(arguments), exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except CycloptsError as error:
        output.error(told(error))
        return WRONG_USE
    except FootfallError as error:
        output.error(NAMES.put_into(str(error)) if isinstance(error, ConfigError) else error)
        return WRONG_USE if isinstance(error, _WRONG_USE_ERRORS) and not isinstance(error, _FAILURES) else FAILED
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # rich has noticed it, and ends with another code
            return PIPE_CLOSED
        raise
    except BrokenPipeError:
        # Whoever read our output has enough. Python would flush, and fail, once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except OSError as error:
        output.error(error)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return code if isinstance(code, int) else DONE
