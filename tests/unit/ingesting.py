"""Runs the ingester against a fake node, for the tests of it."""

from pathlib import Path
from typing import Any

from fake_http import FakeHttp

from footfall.cli.arguments import Where
from footfall.cli.client import Client
from footfall.cli.delivery import Courier, Patience
from footfall.cli.formats import Format
from footfall.cli.ingest_log import Ingest
from footfall.cli.ingest_options import Options, Summary
from footfall.cli.selecting import Selection
from footfall.cli.signals import Stop

URL = "http://127.0.0.1:1"


def ingest(http: FakeHttp, file: Path | str, stop: Stop | None = None, **options: Any) -> Summary:
    asked = asked_for(file, **options)
    stop = stop or Stop()
    with Client(URL, http.transport) as client:
        courier = Courier(client, Patience(asked.timeout_s, stop.event, lambda _: None))
        run = Ingest(str(file), asked, asked.names(), courier, stop, lambda *_: None)
        run.run()
        return run.summary()


def asked_for(*files: Path | str, **options: Any) -> Options:
    """Plain lines into ``shop``, unless told otherwise; what belongs to the selection goes there."""
    options = {"form": Format.LINES, "counter": "shop", "timeout_s": 5.0} | options
    selected = {name: options.pop(name) for name in list(options) if name in Selection.__struct_fields__}
    asked = Options(files=tuple(map(str, files)), where=Where(URL), selection=Selection(**selected), **options)
    asked.check()
    return asked


def lines(first: int, last: int) -> str:
    return "".join(f"visitor-{number}\n" for number in range(first, last))
