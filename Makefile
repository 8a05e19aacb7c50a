# Everything sets itself up: `make demo` and `make test` need Python >= 3.11 and this file, nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TOOLS := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/argocd-provenance/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
export PIP_NO_INPUT := 1

.PHONY: demo test lint format ci peers corpus mutations bench tools clean

demo: $(VENV)/.runtime
	@$(BIN)/argocd-provenance demo

test: $(VENV)/.test
	$(BIN)/python -m pytest -n 2 --maxprocesses 2 tests

lint: $(VENV)/.lint
	$(BIN)/ruff check plugin tests benchmarks
	$(BIN)/ruff format --check plugin tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.lint
	$(BIN)/ruff check --fix plugin tests benchmarks
	$(BIN)/ruff format plugin tests benchmarks

ci: lint test tools peers mutations

peers: $(VENV)/.test tools
	PATH="$(TOOLS):$$PATH" $(BIN)/python -m pytest -m "peers and not corpus" tests

corpus: $(VENV)/.test tools
	@test -n "$(CORPUS)" || { echo "make corpus CORPUS=DIR: a folder of real images, bundles and documents" >&2; exit 2; }
	PATH="$(TOOLS):$$PATH" CORPUS="$(abspath $(CORPUS))" $(BIN)/python -m pytest -m corpus tests

mutations: $(VENV)/.test
	$(BIN)/python tests/mutations.py

bench: $(VENV)/.runtime
	$(BIN)/python benchmarks/rewrite.py

tools:
	@TOOLS="$(TOOLS)" bash tests/peers/install

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "argocd-provenance needs Python 3.11 or newer; set PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade 'pip>=25.1'  # --group

$(VENV)/.runtime: $(VENV)/bin/python pyproject.toml
	$(PIP) install -e .
	@touch $@

$(VENV)/.test: $(VENV)/.runtime
	$(PIP) install --group test
	@touch $@

$(VENV)/.lint: $(VENV)/.test
	$(PIP) install --group lint
	@touch $@

clean:
	rm -rf $(VENV) .cache
