"""The examples of docs/live.md, run as they stand there; of a stream only what comes first is read."""

import json
import subprocess
from pathlib import Path

from test_docs import free_ports, run, serving, settings

PAGE = (Path(__file__).parents[2] / "docs" / "live.md").read_text()


def lines() -> list[str]:
    """The commands."""
    blocks = PAGE.split("```sh\n")[1:]
    return [line for block in blocks for line in block.split("\n```")[0].splitlines()]


def first_data(line: str, port: int) -> dict[str, object] | list[dict[str, object]]:
    """The data of the first event of a stream."""
    with subprocess.Popen(
        ["/bin/sh", "-c", f"exec {line.replace(':8080', f':{port}')}"],
        env=settings(port),
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        data = next(text for text in child.stdout if text.startswith("data: "))
        child.terminate()
    found: dict[str, object] | list[dict[str, object]] = json.loads(data.removeprefix("data: "))
    return found


def test_the_examples_answer_what_the_page_says(tmp_path: Path) -> None:
    port = free_ports(1)
    answers = {}
    with serving("footfall serve", port, 1, tmp_path):
        for line in lines():
            if " -N " in line:
                answers[line] = first_data(line, port)
            else:
                said = run(line, port, tmp_path)
                answers[line] = json.loads(said) if said.startswith("{") else said
    assert len(answers) == 9
    stream, many = (answer for line, answer in answers.items() if " -N " in line)
    assert isinstance(stream, dict)
    assert (stream["counter"], stream["value"]) == ("shop", 1)
    example = json.loads(PAGE.split("\ndata: ")[1].splitlines()[0])
    assert example.keys() == stream.keys()
    assert [one["counter"] for one in many] == ["shop", "blog"]
    listed = [answer["counters"] for line, answer in answers.items() if "/v1/counters?" in line]
    assert [[one["counter"] for one in page] for page in listed] == [["shop"], [], ["shop"]]
    history = next(answer for line, answer in answers.items() if "/history" in line)
    assert (history["counter"], history["step_s"]) == ("shop", 10)
