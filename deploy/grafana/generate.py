"""Writes the dashboards as JSON: `python -m deploy.grafana.generate`, after a change of deploy/grafana/boards."""

import json
from pathlib import Path

from deploy.grafana.boards import DASHBOARDS
from deploy.grafana.panels import Dashboard, as_json

FOLDER = Path(__file__).parent / "dashboards"


def text_of(dashboard: Dashboard) -> str:
    """The file's content."""
    return json.dumps(as_json(dashboard), indent=1, ensure_ascii=False) + "\n"


def file_of(dashboard: Dashboard) -> Path:
    """Where it is written."""
    return FOLDER / f"{dashboard.uid.removeprefix('eventfold-')}.json"


def main() -> None:
    """Writes every dashboard."""
    for dashboard in DASHBOARDS:
        file_of(dashboard).write_text(text_of(dashboard))


if __name__ == "__main__":
    main()
