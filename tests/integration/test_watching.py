"""The alert rules and the dashboard: they load, and point at what is there."""

import json
import shutil
import subprocess
from pathlib import Path

import deployed
import pytest

KINDS = {"stat", "timeseries", "row"}
SEVERITIES = {"page", "ticket", "info"}


def promtool(*arguments: str) -> None:
    """Let promtool look, where it is installed: it knows the language."""
    if found := shutil.which("promtool"):
        done = subprocess.run([found, *arguments], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("rule", deployed.rules(), ids=lambda rule: str(rule["alert"]))
def test_an_alert_says_what_it_means_and_where_to_read_on(rule: dict[str, object]) -> None:
    assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
    assert str(rule["alert"]).startswith("Footfall")
    assert rule["labels"]["severity"] in SEVERITIES  # type: ignore[index]
    annotations: dict[str, str] = rule["annotations"]  # type: ignore[assignment]
    assert annotations.keys() == {"summary", "description", "runbook"}
    page, _, anchor = annotations["runbook"].partition("#")
    assert not anchor or anchor in deployed.anchors(deployed.ROOT / page)
    assert (deployed.ROOT / page).is_file()


def test_alerts_have_different_names_and_each_is_tried() -> None:
    names = [rule["alert"] for rule in deployed.rules()]
    assert len(set(names)) == len(names) > 15
    tried = (deployed.ALERTS.parent / "alerts_test.yml").read_text()
    assert not [name for name in names if name not in tried]


def test_the_rules_hold_what_their_own_tests_say() -> None:
    promtool("check", "rules", str(deployed.ALERTS))
    promtool("test", "rules", str(deployed.ALERTS.parent / "alerts_test.yml"))


def test_the_dashboard_is_a_model_that_grafana_loads() -> None:
    model = deployed.dashboard()
    assert (model["uid"], model["title"], model["id"], model["schemaVersion"]) == ("footfall", "Footfall", None, 39)
    panels = model["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) > 20
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        assert panel["type"] in KINDS
        assert panel["title"]
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, f"{panel['title']} lies over another panel"
        assert place["x"] + place["w"] <= 24
        taken |= cells
        if panel["type"] != "row":
            assert panel["description"]
            assert panel["fieldConfig"]["defaults"]["unit"]
            assert [target["refId"] for target in panel["targets"]] == list("ABCD")[: len(panel["targets"])]
    variables = {one["name"] for one in model["templating"]["list"]}
    assert {"datasource", "instance"} == variables


def test_what_the_dashboard_asks_is_understood(tmp_path: Path) -> None:
    queries = list(deployed.queries())
    assert not [query for query in queries if "$" in query]
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    (tmp_path / "queries.yml").write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    promtool("check", "rules", str(tmp_path / "queries.yml"))
