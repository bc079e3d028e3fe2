"""The manifests: as the chart renders them, and what Kubernetes and the operators take."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate.utils
import pytest

from deploy.kubernetes.generate import CHART, generated_files, rendered
from tests.deploy.kubernetes.chart import (
    HELM,
    SERVICE_SHAPES,
    Manifest,
    committed,
    documents,
    helm,
    needs_helm,
    of_kind,
    template,
)
from tests.support.services import ROOT

# The oldest that Chart.yaml allows, one between, and the newest whose schemas there are.
VERSIONS = ["1.30", "1.34", "1.37"]
CRDS = {
    (one["apiVersion"], one["kind"]): one["schema"]
    for one in map(json.loads, (path.read_text() for path in sorted((Path(__file__).parent / "crds").iterdir())))
}
CHART_TEXT = (CHART / "Chart.yaml").read_text()


@pytest.fixture(autouse=True, scope="module")
def schemas_read_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kubernetes_validate.utils, "schema_contents", cache(kubernetes_validate.utils.schema_contents))
        yield


@pytest.mark.parametrize("path", [path for path, _ in generated_files()], ids=lambda path: path.name)
def test_what_the_chart_has_from_elsewhere_is_as_it_is_there(path: Path) -> None:
    text = dict(generated_files())[path]
    assert path.read_text() == text, "python -m deploy.kubernetes.generate"


def test_the_chart_has_no_file_that_is_not_generated_any_more() -> None:
    generated = {path for path, _ in generated_files()}
    for folder in ("files/prometheus", "files/dashboards"):
        assert set((CHART / folder).iterdir()) <= generated


@needs_helm
@pytest.mark.parametrize("shape", SERVICE_SHAPES)
def test_the_plain_manifests_are_what_the_chart_renders(shape: str) -> None:
    assert HELM is not None
    assert documents(rendered(HELM, shape)) == committed(shape), "python -m deploy.kubernetes.generate"


@needs_helm
@pytest.mark.parametrize("values", ["values.yaml", "values-small.yaml", "values-trial.yaml"])
def test_helm_finds_the_chart_sound(values: str) -> None:
    told = helm("lint", str(CHART), "--strict", "--values", str(CHART / values))
    assert told.returncode == 0, told.stdout + told.stderr


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("shape", SERVICE_SHAPES)
def test_kubernetes_takes_them(shape: str, version: str) -> None:
    taken = 0
    for manifest in committed(shape):
        if (manifest["apiVersion"], manifest["kind"]) not in CRDS:
            kubernetes_validate.validate(manifest, version, strict=True)
            taken += 1
    assert taken > 30


def test_the_oldest_version_is_the_one_that_the_chart_names() -> None:
    assert f'kubeVersion: ">={VERSIONS[0]}.0-0"' in CHART_TEXT


def test_a_field_that_is_not_there_is_refused() -> None:
    deployment = json.loads(json.dumps(of_kind(committed("small"), "Deployment")["command-api"]))
    deployment["spec"]["template"]["spec"]["enableServiceLink"] = False
    with pytest.raises(kubernetes_validate.ValidationError, match="enableServiceLink"):
        kubernetes_validate.validate(deployment, VERSIONS[-1], strict=True)


def test_the_operators_take_their_own() -> None:
    checked = [one["kind"] for one in committed("production") if _checked(one)]
    assert sorted(set(checked)) == ["PrometheusRule", "ScaledObject", "ServiceMonitor"]


def test_a_field_that_an_operator_does_not_know_is_refused() -> None:
    scaled = json.loads(json.dumps(of_kind(committed("production"), "ScaledObject")["projector"]))
    scaled["spec"]["minReplicas"] = 1
    with pytest.raises(jsonschema.ValidationError, match="minReplicas"):
        _checked(scaled)


@needs_helm
def test_dashboards_come_along_and_are_valid() -> None:
    boards = [one for one in template() if "-dashboard-" in one["metadata"]["name"]]
    names = {path.name for path in (ROOT / "deploy/grafana/dashboards").iterdir()}
    assert {name for one in boards for name in one["data"]} == names
    for one in boards:
        kubernetes_validate.validate(one, VERSIONS[0], strict=True)
        (text,) = one["data"].values()
        assert json.loads(text)["panels"]


def test_every_name_is_given_once() -> None:
    for shape in SERVICE_SHAPES:
        named = [(one["kind"], one["metadata"]["name"]) for one in committed(shape)]
        assert len(named) == len(set(named))


def _checked(manifest: Manifest) -> bool:
    """Whether it is an operator's, and then valid by its schema, with no field that this doesn't know."""
    schema = CRDS.get((manifest["apiVersion"], manifest["kind"]))
    if schema is None:
        return False
    jsonschema.Draft7Validator(_closed(schema)).validate(manifest)
    return True


def _closed(schema: Any) -> Any:
    """The schema with every object closed that says what is in it; metadata is Kubernetes' own."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    found = dict(_closed_items(schema))
    if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        found.setdefault("additionalProperties", False)
    return found


def _closed_items(schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in schema.items():
        if key == "properties":
            yield key, {name: {"type": "object"} if name == "metadata" else _closed(one) for name, one in value.items()}
        else:
            yield key, _closed(value)
