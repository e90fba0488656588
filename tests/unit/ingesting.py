"""Runs the ingester against a fake node, for the tests of it."""

from pathlib import Path
from typing import Any

from fake_http import FakeHttp

from footfall.cli import output
from footfall.cli.arguments import Where
from footfall.cli.client import Client
from footfall.cli.formats import Format
from footfall.cli.ingest import Ingest, Options, Summary
from footfall.cli.signals import Stop

URL = "http://127.0.0.1:1"


def ingest(http: FakeHttp, file: Path | str, stop: Stop | None = None, **options: Any) -> Summary:
    options = {"form": Format.LINES, "counter": "shop", "timeout_s": 5.0} | options
    asked = Options(file=str(file), where=Where(URL), **options)
    asked.check()
    with Client(URL, http.transport) as client:
        run = Ingest(asked, client, stop or Stop(), output.ProgressView("", shown=False))
        run.run()
        return run.summary


def lines(first: int, last: int) -> str:
    return "".join(f"visitor-{number}\n" for number in range(first, last))
