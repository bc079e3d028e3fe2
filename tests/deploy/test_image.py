"""deploy/image/Dockerfile: its paths, commands and settings exist, and no module needs what it leaves out.
tests/deploy/containers builds it."""

import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from infrastructure.settings import PREFIX, load_settings

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy/image/Dockerfile").read_text()
IGNORED = (ROOT / "deploy/image/Dockerfile.dockerignore").read_text().splitlines()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def instructions(name: str) -> list[str]:
    """What follows each instruction of that name, continuation lines joined."""
    joined = DOCKERFILE.replace("\\\n", " ")
    return [line.removeprefix(name).strip() for line in joined.splitlines() if line.startswith(f"{name} ")]


def sources() -> list[str]:
    """What is copied from the repository."""
    copies = [copy.split() for copy in instructions("COPY") if not copy.startswith("--from")]
    return [source for *several, _ in copies for source in several]


def test_what_is_copied_exists_and_reaches_the_build() -> None:
    for source in sources():
        assert (ROOT / source).exists(), source
        assert f"!{source}" in IGNORED, source
    assert {line[1:] for line in IGNORED if line.startswith("!")} == set(sources())


def test_every_package_of_the_project_is_copied() -> None:
    included = PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]
    assert {pattern.rstrip("*") for pattern in included} <= set(sources())


def test_it_has_what_contracts_archives_and_brokers_need() -> None:
    (script,) = re.findall(r'python -c "(.*?)" > dependencies.txt', DOCKERFILE)
    listed = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    project = PROJECT["project"]
    extras = project["optional-dependencies"]
    wanted = [one for name in ("documents", "s3", "kafka", "rabbitmq") for one in extras[name]]
    assert listed.stdout.split("\n")[:-1] == [*project["dependencies"], *wanted], listed.stderr


def test_its_base_is_pinned_and_nothing_else_of_it_is_in_the_end() -> None:
    assert instructions("FROM") == ["${BASE} AS build", "scratch"]
    (base,) = (one for one in instructions("ARG") if one.startswith("BASE"))
    assert re.fullmatch(r"BASE=python:3\.\d+\.\d+-slim-\w+", base)


def test_it_runs_the_projects_command_as_nobody_in_particular() -> None:
    assert json.loads(instructions("ENTRYPOINT")[0]) == ["eventfold"]
    assert "eventfold" in PROJECT["project"]["scripts"]
    user, group = instructions("USER")[-1].split(":")
    assert int(user) > 0
    assert int(group) > 0


def test_its_settings_exist_and_its_health_check_asks_where_the_services_listen() -> None:
    environ = dict(pair.split("=", 1) for pair in " ".join(instructions("ENV")).split())
    settings = load_settings({name: value for name, value in environ.items() if name.startswith(PREFIX)})
    assert settings.http.host == "0.0.0.0"
    (port,) = {settings.http.command_api_port, settings.http.projector_port, settings.http.query_api_port}
    assert instructions("EXPOSE") == [str(port)]
    (check,) = instructions("HEALTHCHECK")
    command = json.loads(check[check.index("CMD") + 3 :])
    assert f"http://127.0.0.1:{port}/health/live" in command[-1]
    compile(command[-1], "health check", "exec")


def test_it_says_what_it_is() -> None:
    labels = dict(re.findall(r'([a-z.]+)="([^"]*)"', " ".join(instructions("LABEL"))))
    name = "org.opencontainers.image."
    assert labels[f"{name}version"] == PROJECT["project"]["version"]
    assert labels[f"{name}licenses"] == PROJECT["project"]["license"]
    assert {f"{name}{key}" for key in ("title", "description", "revision", "created")} <= labels.keys()
    arguments = {argument.partition("=")[0] for argument in instructions("ARG")}
    assert set(re.findall(r"\$\{(\w+)\}", " ".join(labels.values()))) <= arguments


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_it_says_what_is_in_it(tmp_path: Path) -> None:
    """The Dockerfile's own command, over this environment: a valid CycloneDX document, with the locked versions."""
    (line,) = (one for one in instructions("RUN") if "cyclonedx-py" in one)
    command = re.split(r"&&", line)[-1].split()
    target = tmp_path / "sbom.json"
    here = {"/opt/tools/bin/": f"{Path(sys.executable).parent}/", "/opt/eventfold/sbom.cdx.json": str(target)}
    for given, own in here.items():
        command = [part.replace(given, own) for part in command]
    command = [sys.executable if part == "/opt/eventfold/bin/python" else part for part in command]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=580)
    assert told.returncode == 0, told.stderr
    bill = json.loads(target.read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["component"]["name"] == "eventfold"
    found = {re.sub(r"[-_.]+", "-", one["name"]).lower(): one for one in bill["components"]}
    locked = dict(re.findall(r"(?m)^([a-z0-9-]+)==(\S+)", (ROOT / "requirements-dev.lock").read_text()))
    for name in ("esdbclient", "litestar", "motor", "typst", "cryptography", "confluent-kafka"):
        assert found[name]["version"] == locked[name]
        assert found[name]["purl"].startswith(f"pkg:pypi/{name}@{locked[name]}")
        assert found[name].get("licenses"), name


LEFT_OUT = """
import importlib, importlib.abc, pkgutil, sys

class LeftOut(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"{{name}} is not in the image")

sys.meta_path.insert(0, LeftOut())
for package in {packages!r}:
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
"""


def taken_out() -> set[str]:
    """The modules of the packages that deploy/image/slim.sh takes out."""
    (told,) = re.findall(
        r"pip uninstall --quiet --yes \\\n((?:.*\\\n)*.*)\n", (ROOT / "deploy/image/slim.sh").read_text()
    )
    packages = set(told.replace("\\", " ").split())
    modules = packages_distributions()
    assert packages <= {normal(one) for several in modules.values() for one in several}, (
        "each of them is installed here"
    )
    return {module for module, several in modules.items() if {normal(one) for one in several} <= packages}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_no_module_needs_what_is_left_out() -> None:
    names = {
        *("check_jsonschema", "hypothesis", "importlinter", "mypy", "pytest", "schemathesis"),
        *("nx_27017", "neosqlite", "pyarrow", "requests", "jsonschema"),
        *("pip", *taken_out()),
    }
    packages = [name for name in sources() if (ROOT / name / "__init__.py").exists() and name != "embedded"]
    assert {"ops", "command_api", "subscriptions", "signing_page"} <= set(packages)
    imported = subprocess.run(
        [sys.executable, "-c", LEFT_OUT.format(names=names, packages=packages)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert imported.returncode == 0, imported.stderr
