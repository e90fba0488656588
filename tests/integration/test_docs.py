"""The README's commands, run as they stand there against real nodes; only the port is another one."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import processes
from footfall.config import Config
from footfall.log.engine import Engine

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
WAIT_S = 60.0
PORT = "8080"  # the README's
ELSEWHERE = "nats://a:4222,nats://b:4222,nats://c:4222"  # the README's cluster
LINE = '203.0.113.{} - - [10/Oct/2026:13:55:36 +0000] "GET / HTTP/1.1" 200 2326 "-" "Mozilla/5.0"\n'


def commands(after: str, before: str) -> list[str]:
    """The command lines of the shell blocks in a part of the README."""
    part = README[README.index(after) : README.index(before)]
    blocks = re.findall(r"^```sh\n(.*?)^```", part, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def free_ports(count: int) -> int:
    """The first of some that follow each other."""
    return processes.free_ports(count)[0]


def settings(port: int) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "FOOTFALL_URL": f"http://127.0.0.1:{port}"}


def run(line: str, port: int, directory: Path) -> str:
    """Run one line as a shell would; it must succeed. Returns what it printed."""
    line = line.replace(f":{PORT}", f":{port}").replace("curl ", "curl --fail-with-body --silent --show-error ")
    done = subprocess.run(
        ["/bin/sh", "-c", line], cwd=directory, env=settings(port), capture_output=True, text=True, timeout=WAIT_S
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    return done.stdout


def eventually(true: Callable[[], bool], what: str) -> None:
    ends_s = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < ends_s, what
        time.sleep(0.02)


def ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as error:
        error.close()
        return False
    except OSError:
        return False


@contextmanager
def serving(line: str, port: int, nodes: int, directory: Path) -> Iterator[None]:
    """``footfall serve`` in the background, as in another terminal, until all its nodes are ready."""
    arguments = [*line.partition("#")[0].split(), "--http", f"127.0.0.1:{port}"]
    with (directory / "stderr").open("w+") as errors:
        child = subprocess.Popen(
            [f"{Path(sys.executable).parent}/{arguments[0]}", *arguments[1:]],
            cwd=directory, env=settings(port), stdout=errors, stderr=errors,
        )  # fmt: skip
        try:
            for offset in range(nodes):
                eventually(
                    lambda port=port + offset: child.poll() is not None or ready(port),  # type: ignore[misc]
                    f"{line} is not ready",
                )
            errors.seek(0)
            assert child.poll() is None, errors.read()
            yield
        finally:
            child.send_signal(signal.SIGTERM)
            code = child.wait(WAIT_S)
        errors.seek(0)
        assert code == 0, errors.read()


def test_every_make_target_that_the_docs_name_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    contributing = (ROOT / "CONTRIBUTING.md").read_text()
    named = set(re.findall(r"^make ([a-z-]+)", README, re.MULTILINE))
    named |= set(re.findall(r"`make ([a-z-]+)", README + contributing))
    assert {"demo", "test", "setup"} <= named <= targets


def anchors(page: Path) -> set[str]:
    """What a link may name of a page: its headings, as the site spells them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[ -]+", "-", re.sub(r"[^\w -]", "", heading).strip().lower()) for heading in headings}


def test_what_the_docs_link_to_exists() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]
    for page in pages:
        for link, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", page.read_text()):
            target = page.parent / link if link else page
            assert target.exists(), f"{page.name} links to {link}"
            assert not anchor or anchor in anchors(target), f"{page.name} links to {link}#{anchor}"


def test_the_five_minutes_go_as_the_readme_tells(tmp_path: Path) -> None:
    (tmp_path / "access.log").write_text("".join(LINE.format(number) for number in range(100)))
    port = free_ports(1)
    lines = commands("## Five minutes", "### Three nodes")
    assert lines[0] == ". .venv/bin/activate"
    assert lines[1].startswith("footfall serve")
    if shutil.which("curl") is None:
        lines = [line for line in lines if not line.startswith("curl ")]
    with serving(lines[1], port, 1, tmp_path):
        for line in lines[2:]:
            promised = re.search(r"# (\d+)\b", line)
            if promised is None:
                run(line, port, tmp_path)
            else:
                wanted = promised[1]
                eventually(lambda line=line, wanted=wanted: run(line, port, tmp_path).strip() == wanted, line)  # type: ignore[misc]
        assert run("footfall read shop", port, tmp_path).strip() in ("100", "101")  # one more by curl


def test_three_nodes_start_as_the_readme_tells(tmp_path: Path) -> None:
    port = free_ports(3)
    line, *others = commands("### Three nodes", "On several machines")
    with serving(line, port, 3, tmp_path):
        for other in others:
            assert all(str(port + offset) in run(other, port, tmp_path) for offset in range(3))


async def test_a_node_joins_a_nats_server_as_the_readme_tells(tmp_path: Path) -> None:
    (line,) = [line for line in commands("On several machines", "### Backups") if line.startswith("footfall")]
    assert ELSEWHERE in line
    engine = Engine(tmp_path / "engine", Config().log_bytes_max)
    url = await engine.start()
    try:
        port = free_ports(1)
        with serving(line.replace(ELSEWHERE, url), port, 1, tmp_path):
            assert "1 visit" in run("footfall hit google", port, tmp_path)
    finally:
        await engine.stop()


def test_a_backup_is_made_and_restored_as_the_readme_tells(tmp_path: Path) -> None:
    port = free_ports(1)
    backup, restore = commands("### Backups", "## How it works")
    with serving("footfall serve", port, 1, tmp_path):
        run("footfall hit shop --count 7", port, tmp_path)
        run(backup, port, tmp_path)
    run(restore, port, tmp_path)
    with serving("footfall serve --data restored", port, 1, tmp_path):
        assert run("footfall read shop", port, tmp_path).strip() == "7"
