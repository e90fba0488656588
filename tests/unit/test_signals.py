"""The first signal asks for a stop, and tells a person how to have it at once."""

import signal
import sys

import pytest

from footfall.cli.signals import Stop


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_for_a_stop_and_says_so_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: signal.Signals, terminal: bool
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    with Stop() as stop:
        assert not stop.event.is_set()
        signal.raise_signal(number)
        assert (stop.event.is_set(), stop.exit_code) == (True, 128 + number)
    assert ("Ctrl-C once more ends at once" in capsys.readouterr().err) is terminal
