"""What a node tells Prometheus is named by its conventions, and what watches nodes asks only for what they tell."""

import re
import shutil
import subprocess
from typing import NamedTuple

import deployed
import pytest

from processes import HTTP, NodeProcess, eventually

BASE_UNITS = ("seconds", "bytes")
OTHER_UNITS = re.compile(r"_(ms|us|ns|milliseconds|minutes|hours|kb|mb|kilobytes|megabytes|percent|s)(_|$)")


class Scrape(NamedTuple):
    """What a node told: by each metric's name its kind and its help, and the samples' names with their labels."""

    text: str
    kinds: dict[str, str]
    helps: dict[str, str]
    samples: list[tuple[str, str]]


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Scrape:
    directory = tmp_path_factory.mktemp("metrics")
    with NodeProcess(directory / "data", "--backup", str(directory / "backups"), "--cut-interval-s", "0.5") as node:
        for _ in range(3):
            assert HTTP.post(f"{node.url}/v1/counters/shop.books/visits").status_code == 202
        assert HTTP.put(f"{node.url}/v1/counters/shop/milestones/1000").status_code == 201
        eventually(lambda: node.metric("footfall_counted_total"), what="the counter among the metrics")
        text = HTTP.get(f"{node.url}/metrics").text
    comments = re.findall(r"^# (HELP|TYPE) (\S+) (.*)$", text, re.MULTILINE)
    samples = re.findall(r"^([a-zA-Z_:][\w:]*)(\{.*\})? \S+$", text, re.MULTILINE)
    return Scrape(
        text,
        {name: said for what, name, said in comments if what == "TYPE"},
        {name: said for what, name, said in comments if what == "HELP"},
        samples,
    )


def test_names_and_kinds_follow_the_conventions(scraped: Scrape) -> None:
    assert len(scraped.kinds) > 60
    for name, kind in scraped.kinds.items():
        assert re.fullmatch(r"(footfall|process)_[a-z][a-z0-9_]*", name), name
        assert name.endswith("_total") == (kind == "counter"), name
        assert not OTHER_UNITS.search(name.removesuffix("_total")), name
        unit = next((unit for unit in BASE_UNITS if unit in name.split("_")), None)
        if unit is not None and not name.endswith(("_max", "_sent_total", "_received_total")):
            assert name.removesuffix("_total").endswith(unit) or "_max_fds" in name, name
        assert scraped.helps.get(name, "").strip(), f"{name} has no help"
    if promtool := shutil.which("promtool"):  # it knows the conventions best
        done = subprocess.run([promtool, "check", "metrics"], input=scraped.text, capture_output=True, text=True)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_every_sample_belongs_to_a_metric_that_is_described(scraped: Scrape) -> None:
    for name, _ in scraped.samples:
        assert name in scraped.kinds or re.sub(r"_(bucket|sum|count)$", "", name) in scraped.kinds, name


def test_what_operators_need_is_told(scraped: Scrape) -> None:
    assert re.search(r'^footfall_build_info\{.*version="\d+\.\d+\.\d+.*"\} 1.0$', scraped.text, re.MULTILINE)
    assert re.search(r'^footfall_counted_total\{counter="shop",unit="visits"\} 3.0$', scraped.text, re.MULTILINE)
    assert re.search(r'^footfall_alarms_total\{kind="gap"\} 0.0$', scraped.text, re.MULTILINE)
    assert re.search(r"^footfall_warnings 0.0$", scraped.text, re.MULTILINE)
    assert re.search(r"^footfall_flush_duration_seconds_count [1-9]", scraped.text, re.MULTILINE)
    assert re.search(r"^footfall_http_request_duration_seconds_count [1-9]", scraped.text, re.MULTILINE)
    for name in ("footfall_start_time_seconds", "footfall_log_bytes", "process_resident_memory_bytes"):
        assert re.search(rf"^{name} [1-9]", scraped.text, re.MULTILINE), name


def test_rules_and_dashboard_ask_only_for_what_nodes_tell(scraped: Scrape) -> None:
    told = {name for name, _ in scraped.samples} | {"up"}
    for expression in [*(rule["expr"] for rule in deployed.rules()), *deployed.queries()]:
        asked = deployed.asked(expression)
        assert asked, expression
        assert asked <= told, f"{asked - told} in {expression}"
