# `make` alone prints this list. Everything runs in .venv, made from requirements.lock on first use.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SERVERS := .venv-servers
ORDINARY := not slow and not soak and not quiet and not chaos

.DEFAULT_GOAL := help
.PHONY: help demo test slow check chaos explore handicap soak soak-short servers format lock schemas clean

help: ## print this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

demo: $(STAMP) ## set up, then compare key with token auth on the emulator for half a minute
	@$(BIN)/bench compare --emulator --emulator-options '--token-life 12s --refresh-after 6s' \
	  --arrival-rate 200 --warm-up 3s --duration 27s
	@echo "open the report in a browser; 'make help' lists what else there is"

test: $(STAMP) ## set up, then run every test that is no slow one
	$(BIN)/python -m pytest -n 4 --dist worksteal -m "$(ORDINARY)"

slow: $(STAMP) ## those that take more than 10 s each
	$(BIN)/python -m pytest -n 4 --dist worksteal -m "slow and not quiet"

check: $(STAMP) ## format, lint, types, docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

HANDICAPPED ?= tests
handicap: $(STAMP) ## the tests that start processes, on one core beside a busy loop (HANDICAPPED=tests/e2e)
	@while :; do :; done & busy=$$!; trap "kill $$busy" EXIT; taskset -p -c 0 $$busy >/dev/null; \
	  taskset -c 0 $(BIN)/python -m pytest -n 3 --dist worksteal -m "processes and $(ORDINARY)" --timeout 600 $(HANDICAPPED)

explore: $(STAMP) ## the properties with new random examples, to find what the repeatable ones miss
	$(BIN)/python -m pytest -n 2 --dist loadfile -m hypothesis --hypothesis-profile "new examples"

soak: $(STAMP) ## the slow tests, and those that judge times; needs a quiet machine (SOAK_SECONDS=600)
	$(BIN)/python -m pytest -m "soak or quiet"

soak-short: $(STAMP) ## what CI runs of them: memory at full speed, for 15 s, and workers on several hosts
	SOAK_SECONDS=15 $(BIN)/python -m pytest -n 2 --dist loadfile -m "soak and not quiet" tests/calibration/test_soak.py tests/load/roles

chaos: $(STAMP) ## runs with one random fault each, two at a time, and their table in results/calibration (CHAOS_RUNS=200)
	@log=$$(mktemp) && { CHAOS_RUNS=$${CHAOS_RUNS:-200} CHAOS_LOG=$$log $(BIN)/python -m pytest -q -n 2 -m chaos tests/chaos; \
	  code=$$?; $(BIN)/python -m tests.chaos.table $$log results/calibration; rm $$log; exit $$code; }

servers: $(SERVERS)/.installed ## the servers of Azure ML, MLflow, MLServer, httpbin and LLM Katan, in an environment of their own, for tests

format: $(STAMP) ## format the code and sort its imports
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

LOCK := uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url -q --upgrade
lock: $(STAMP) ## resolve the dependencies anew into requirements.lock and tests/load/wire/servers.lock (needs uv)
	$(LOCK) --extra dev pyproject.toml -o requirements.lock
	$(LOCK) tests/load/wire/servers.in -o tests/load/wire/servers.lock

schemas: $(STAMP) ## write docs/schemas anew from bench/schemas
	UPDATE_SCHEMAS=1 $(BIN)/python -m pytest -q tests/test_schemas.py -k published

clean: ## remove what was made (not results/)
	rm -rf $(VENV) $(SERVERS) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed (PYTHON=... make)"; exit 1; }
	@echo "setting up $(VENV): about a minute, once"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

$(SERVERS)/.installed: tests/load/wire/servers.lock
	@echo "setting up $(SERVERS)"
	@$(PYTHON) -m venv $(SERVERS)
	@$(SERVERS)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r tests/load/wire/servers.lock
	@touch $@
