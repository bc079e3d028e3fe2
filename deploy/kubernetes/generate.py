"""Writes what the chart has from elsewhere: `python -m deploy.kubernetes.generate`, after a change of the settings, the
rules or the dashboards; with helm on the path also the plain manifests, after a change of the chart."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from deploy.kubernetes.settings_schema import read_from_files
from deploy.kubernetes.values_schema import values_schema

FOLDER = Path(__file__).parent
DEPLOY = FOLDER.parent
CHART = FOLDER / "chart"
MANIFESTS = FOLDER / "manifests"
NAMESPACE = "eventfold"
# The manifests, and the values beside the chart's own that each is made of.
SHAPES = {"production": (), "small": ("values-small.yaml",), "trial": ("values-trial.yaml",)}

_HEAD = "# Rendered from deploy/kubernetes/chart, without dashboards: python -m deploy.kubernetes.generate\n"


def generated_files() -> Iterator[tuple[Path, str]]:
    """Each file of the chart that is generated, with its content."""
    yield CHART / "values.schema.json", json.dumps(values_schema(), indent=1, ensure_ascii=False) + "\n"
    yield CHART / "templates" / "_readable.tpl", _readable()
    for name in ("recording.yml", "alerts.yml"):
        yield CHART / "files" / "prometheus" / name, (DEPLOY / "prometheus" / name).read_text()
    for board in sorted((DEPLOY / "grafana" / "dashboards").iterdir()):
        yield CHART / "files" / "dashboards" / board.name, board.read_text()


def rendered(helm: str, shape: str) -> str:
    """The manifests of a shape. Raises CalledProcessError, with what Helm says, where they can't be rendered."""
    values = [part for name in SHAPES[shape] for part in ("--values", str(CHART / name))]
    command = [helm, "template", "eventfold", str(CHART), "--namespace", NAMESPACE, *values]
    command += ["--set", "monitoring.dashboards=false"]
    told = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own arguments
    return _HEAD + "".join(f"{line.rstrip()}\n" for line in told.stdout.splitlines())


def _readable() -> str:
    names = json.dumps(read_from_files())
    return (
        "{{/* Generated. The secrets that a file can give. */}}\n"
        f'{{{{- define "eventfold.secretsFromFiles" -}}}}\n{names}\n{{{{- end -}}}}\n'
    )


def main() -> None:
    """Writes every file; the manifests where there is helm."""
    for path, text in generated_files():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    helm = shutil.which("helm")
    if helm is None:
        print("no helm on the path: the manifests are as they were")  # noqa: T201
        return
    for shape in SHAPES:
        (MANIFESTS / f"{shape}.yaml").write_text(rendered(helm, shape))


if __name__ == "__main__":
    main()
