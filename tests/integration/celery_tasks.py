"""A Celery application with the task of docs/middleware.md; its broker and its results are directories."""

import os
import re
from pathlib import Path

from celery import Celery

import footfall

PLACE = Path(os.environ["TASKS_DIR"])
PAGE = (Path(__file__).parents[2] / "docs" / "middleware.md").read_text()

for part in ("queue", "control", "results"):
    (PLACE / part).mkdir(exist_ok=True)

celery = Celery("tasks", broker="filesystem://", backend=f"file://{PLACE / 'results'}")
celery.conf.broker_transport_options = {
    "data_folder_in": str(PLACE / "queue"),
    "data_folder_out": str(PLACE / "queue"),
    "control_folder": str(PLACE / "control"),
}

_example = re.search(r"^```python\n(@celery.task.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
assert _example is not None
exec(_example[1])
assert footfall
