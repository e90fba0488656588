"""docs/embedding.md: its commands are run as they stand there, and its pages are those that browsers open in tests."""

import asyncio
import re
from pathlib import Path

import msgspec
from fake_node import FakeNode

from footfall.config import Config
from footfall.web.badge_options import COLORS, LABEL_CHARACTERS_MAX, PARAMETERS
from footfall.web.door import Door
from footfall.web.server import HttpServer

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "embedding.md").read_text()
LINES = [
    line for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL) for line in block.splitlines()
]


async def test_its_requests_are_answered(tmp_path: Path) -> None:
    door = Door(Config(cors_origins=("https://shop.example", "https://blog.example")))
    server = HttpServer(FakeNode(), "127.0.0.1", 0, stop_s=1, door=door)  # type: ignore[arg-type]
    await server.start()
    said = []
    for line in (line for line in LINES if line.startswith("curl ")):
        command = line.replace("http://127.0.0.1:8080", server.url).replace("curl", "curl --silent --fail-with-body", 1)
        done = await asyncio.create_subprocess_shell(
            command, cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        output, _ = await done.communicate()
        assert done.returncode == 0, (line, output)
        said.append(output.decode())
    await server.stop()
    assert len(said) == 5
    assert "access-control-allow-origin: https://shop.example\r\n" in said[-1]
    assert (tmp_path / "pixel.gif").read_bytes().startswith(b"GIF89a")


def test_its_settings_exist() -> None:
    flags = {flag.replace("-", "_") for flag in re.findall(r"--([a-z][a-z-]+)", PAGE)}
    assert flags - set(msgspec.structs.asdict(Config())) <= {"output"}, "curl's"


def test_its_lines_of_html_are_in_the_example() -> None:
    example = (DOCS / "examples" / "embedding.html").read_text()
    for line in re.findall(r"^```html\n(<(?:script defer|iframe).*?)\n```", PAGE, re.MULTILINE | re.DOTALL):
        assert line in example
    for attribute in re.findall(r"^\| `(data-[a-z]+)", PAGE, re.MULTILINE):
        script = (Path(__file__).parents[2] / "src/footfall/web/static/count.js").read_text()
        assert attribute.removeprefix("data-") in script


def test_it_tells_all_parameters_of_a_badge() -> None:
    table = PAGE[PAGE.index("## Badges") : PAGE.index("## The pixel")]
    assert all(f"`{name}`" in table for name in (*PARAMETERS, *COLORS))
    assert f"at most {LABEL_CHARACTERS_MAX} characters" in table
