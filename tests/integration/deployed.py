"""What stands in deploy/, for the tests that read it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
ALERTS = DEPLOY / "prometheus" / "alerts.yml"

NAME = re.compile(r"\b(?:footfall|process)_[a-z0-9_]+\b|\bup\b")


def documents(path: Path) -> list[dict[str, Any]]:
    """The documents of a YAML file."""
    return [one for one in yaml.safe_load_all(path.read_text()) if one is not None]


def rules() -> list[dict[str, Any]]:
    """All alert rules."""
    (document,) = documents(ALERTS)
    return [rule for group in document["groups"] for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    """The dashboard, as Grafana loads it."""
    loaded: dict[str, Any] = json.loads((DEPLOY / "grafana" / "footfall.json").read_text())
    return loaded


def queries() -> Iterator[str]:
    """What the dashboard asks Prometheus, with its variables filled in."""
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"].replace("$__rate_interval", "5m").replace("$instance", ".+")


def asked(expression: str) -> set[str]:
    """The metrics that an expression names, labels and their values aside."""
    return set(NAME.findall(re.sub(r"\{[^}]*\}", "", expression)))


def anchors(page: Path) -> set[str]:
    """The headings of a page, as a link names them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
