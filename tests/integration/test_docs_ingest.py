"""The commands of docs/ingest.md, run as they stand there, on small logs of the kinds that the page tells of."""

import gzip
import json
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_docs import ROOT, eventually, free_ports, run, serving, settings

PAGE = (ROOT / "docs" / "ingest.md").read_text()
LINE = '203.0.113.{} - - [26/Nov/2026:08:00:0{} +0000] "{} {} HTTP/1.1" {} 5 "-" "{}"\n'
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
REQUESTS = [
    ("GET", "/", 200, BROWSER),
    ("GET", "/blog/hello", 304, BROWSER),
    ("GET", "/assets/style.css", 200, BROWSER),
    ("POST", "/cart", 200, BROWSER),
    ("GET", "/robots.txt", 200, "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"),
]
ACCESS = "".join(LINE.format(number, number, *request) for number, request in enumerate(REQUESTS))
VHOSTS = "".join(
    f"{host}:443 {line}\n"
    for host, line in zip(("www.example.com", "example.org", "www.example.com"), ACCESS.splitlines(), strict=False)
)
TIME = "2026-11-26T08:00:00.123456789Z"  # as Docker has it
OWN = (
    f'192.0.2.7 [2026-11-26T08:00:00+00:00] example.com "GET / HTTP/2.0" 200 "{BROWSER}" acme\n'
    f'192.0.2.8 [2026-11-26T08:00:01+00:00] example.com "GET /no HTTP/2.0" 404 "{BROWSER}" acme\n'
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where the page's logs are."""
    for name, text in (("access.log", ACCESS), ("live.log", ACCESS), ("vhosts.log", VHOSTS), ("own.log", OWN)):
        (tmp_path / name).write_text(text)
    docker = [json.dumps({"log": f"{line}\n", "stream": "stdout", "time": TIME}) for line in ACCESS.splitlines()]
    (tmp_path / "container-json.log").write_text("\n".join(docker) + "\n")
    (tmp_path / "hosts").mkdir()
    for host in ("www.example.com", "example.org"):
        (tmp_path / "hosts" / f"{host}.log").write_text(ACCESS.replace("203.0.113", f"{len(host)}.0.0"))
    rotated = tmp_path / "rotated"
    rotated.mkdir()
    older = ACCESS.replace("26/Nov", "25/Nov").splitlines(keepends=True)[:4]
    (rotated / "access.log").write_text(ACCESS)
    (rotated / "access.log.1").write_text("".join(older))
    (rotated / "access.log.2.gz").write_bytes(gzip.compress("".join(older).encode()))
    return tmp_path


def commands() -> Iterator[str]:
    for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL):
        yield from block.splitlines()


def test_the_page_s_commands_count_what_it_says(directory: Path) -> None:
    port = free_ports(1)
    promises = 0
    with serving("footfall serve", port, 1, directory):
        for line in commands():
            promised = re.search(r"# (\d+)$", line)
            if line.endswith("--follow"):
                follow(line, port, directory)
            elif promised is None:
                run(line, port, directory)
            else:
                promises += 1
                wanted = promised[1]
                eventually(lambda line=line, wanted=wanted: run(line, port, directory).strip() == wanted, line)  # type: ignore[misc]
    assert promises > 5


def follow(line: str, port: int, directory: Path) -> None:
    """Until it has counted what there is, and a line more."""
    following = subprocess.Popen(["/bin/sh", "-c", f"exec {line}"], cwd=directory, env=settings(port))
    read = "footfall read live"
    eventually(lambda: run(read, port, directory).strip() == "5", "the log is not counted")
    with (directory / "live.log").open("a") as log:
        log.write(ACCESS.splitlines(keepends=True)[0])
    eventually(lambda: run(read, port, directory).strip() == "6", "what is added is not counted")
    following.send_signal(signal.SIGTERM)
    assert following.wait(30) == 0
