# Eventfold: `make help` lists the targets. Each one first makes .venv from the locks, if it is missing or stale:
# requirements.lock for what runs, requirements-dev.lock for the tests and checks as well.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNS := $(VENV)/.from-lock
DEVELOPS := $(VENV)/.from-dev-lock
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check
# Most tests wait for processes, so three runs of them share two cores well; the tests of a file stay in their order.
IN_PARALLEL := --numprocesses 3 --dist loadfile
# Each service is a process that would compile every module of ours at its start.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help venv data demo up test test-turn test-slow test-single-process test-hosts check format bench lock clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-19s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(DEVELOPS) ## make .venv with all that develops and tests Eventfold

$(RUNS): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; ok = (3, 11) <= sys.version_info[:2] <= (3, 13); sys.exit(0 if ok else "Eventfold needs Python 3.11 to 3.13, found " + sys.version.split()[0] + "; choose one with: make PYTHON=python3.12")'
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "Python's venv module is missing: on Debian, apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(INSTALL) --requirement requirements.lock
	$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $(RUNS)

$(DEVELOPS): $(RUNS) requirements-dev.lock
	$(INSTALL) --requirement requirements-dev.lock
	@touch $(DEVELOPS)

data: venv ## add the whole basket data set (for `eventfold load`)
	$(INSTALL) --requirement requirements-data.lock

demo: $(RUNS) ## the main job end to end, on a fresh data directory
	$(BIN)/eventfold demo

up: $(RUNS) ## every service on this machine, until Ctrl-C
	$(BIN)/eventfold up

test: venv ## the tests that run in minutes
	$(BIN)/pytest $(IN_PARALLEL)

test-turn: venv ## a part of the slow tests, and of those of one process, another one each day, in four and a half minutes
	$(BIN)/python -m tests.turn
	$(BIN)/python -m tests.turn --single-process --seconds 90

test-slow: venv ## the crash and property tests at their full number of rounds
	$(BIN)/pytest $(IN_PARALLEL) -m "slow or not slow"

test-single-process: venv ## the tests that start services, with the services composed as one process
	$(BIN)/pytest $(IN_PARALLEL) --shape single-process

test-hosts: venv ## the services over five hosts of their own, with cuts and bad wires (root, iproute2)
	$(BIN)/pytest -s -m "slow or not slow" tests/hosts

check: venv ## lint, format, types, import rules, events that others rely on
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/eventfold check

format: venv ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: venv ## every benchmark; each prints ratios taken in one run
	$(BIN)/python -m benchmarks

LOCK := uv pip compile -q --universal --python-version 3.11 --no-emit-index-url --no-header pyproject.toml
# What the demo and `eventfold up` use on one machine.
USED := --extra embedded --extra documents --extra kafka --extra rabbitmq

lock: ## renew the locks from pyproject.toml (needs uv)
	$(LOCK) $(USED) -o requirements.lock
	$(LOCK) $(USED) --extra s3 --extra pkcs11 --extra gateway --extra dev -c requirements.lock -o requirements-dev.lock
	$(LOCK) $(USED) --extra s3 --extra pkcs11 --extra gateway --extra dev --extra data -c requirements-dev.lock -o requirements-data.lock

clean: ## remove .venv and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build *.egg-info
