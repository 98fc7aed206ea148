# Linyue 邻约. `make demo` and `make test` are the two commands that a newcomer needs.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

BIN := .venv/bin
PYTEST_WORKERS ?= 2

# Read by the demo: where it serves, where its data lives, when its clock stands and how fast it runs.
export HOST PORT DATA CLOCK SPEED WORKERS

# A .venv that was moved, or whose Python has gone, is made anew.
STALE := $(shell grep -qsF '$(CURDIR)/.venv' .venv/pyvenv.cfg && $(BIN)/python -V >/dev/null 2>&1 || echo stale)

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/.runtime ## Serve Gumei with a lived-in fortnight on http://127.0.0.1:8000 (PORT= DATA= CLOCK= SPEED=)
	@exec $(BIN)/linyue demo

test: .venv/.test browser host ## Run all tests but the long ones
	$(BIN)/pytest -n $(PYTEST_WORKERS) --dist loadfile -m "not long and not serial"
	$(BIN)/pytest -m "serial and not long"

test-long: .venv/.test browser host ## Run the long tests too (about half an hour)
	$(BIN)/pytest -n $(PYTEST_WORKERS) --dist loadfile -m "not serial"
	$(BIN)/pytest -m serial

check: .venv/.test ## Lint, formatting, types, import contracts and the compose file, in under a minute
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml

bench: .venv/.bench ## Measure against what stands beside it, in about ten minutes (ONLY=desk QUICK=1 KEEP=1)
	@$(BIN)/python -m bench $(ONLY) $(if $(QUICK),--quick) $(if $(KEEP),--keep)

screenshots: .venv/.test browser ## Take a picture of every page, in both languages, into build/screenshots
	$(BIN)/python scripts/screenshots.py build/screenshots

lock: ## Renew the three requirements*.txt from pyproject.toml (needs uv; UPGRADE=1 takes newer versions)
	scripts/lock.sh

clean: ## Remove .venv, caches and builds; the data in .data stays
	rm -rf .venv build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .schemathesis
	find src tests migrations scripts bench -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

.venv: .venv/.test # Everything that a developer needs

browser: # Chromium and a Chinese font for the page tests
	@scripts/browser.sh

host: # nginx and systemd-analyze, for the tests of what stands around Linyue
	@scripts/host.sh

.venv/.runtime: requirements.txt pyproject.toml $(STALE)
	@scripts/install.sh runtime

.venv/.test: requirements-dev.txt pyproject.toml $(STALE)
	@scripts/install.sh test

.venv/.bench: requirements-bench.txt pyproject.toml $(STALE)
	@scripts/install.sh bench

.PHONY: help demo test test-long check bench screenshots lock clean .venv browser host stale
