"""The end of an edge that reaches nobody: it is told what is lost, and holds up no process."""

import pytest

import footfall

NOBODY = "127.0.0.1:9"


def test_who_will_not_wait_for_an_edges_end_is_told_what_is_lost(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: float) -> bool:
        raise KeyboardInterrupt

    edge = footfall.Edge(f"nats://{NOBODY}", url=f"http://{NOBODY}")
    edge.increment("shop", visitor="ann")
    monkeypatch.setattr(edge, "flush", interrupted)
    with pytest.raises(KeyboardInterrupt), edge:
        pass
    assert "at least 1 visit was not stored before the end" in caplog.text
    assert edge.close(), "that was all"
    with pytest.raises(RuntimeError, match="closed"):
        edge.increment("shop")
