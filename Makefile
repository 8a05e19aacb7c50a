# Everything sets itself up: `make demo` and `make test` need Python >= 3.11 and this file, nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/argocd-provenance
TOOLS := $(CACHE)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Two processes, of which one has all that asks Argo CD's servers (tests/conftest.py).
TWO := -n 2 --dist loadgroup
export PIP_NO_INPUT := 1

.PHONY: demo test lint format ci peers cluster image corpus fuzz fuzz-minute mutations bench tools servers kube notifications clean

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

# Most tests use all processors already. The image's build does not: beside it, the fuzzing costs no time.
ci: lint test peers cluster
	$(MAKE) --no-print-directory --jobs=2 --output-sync=target image fuzz-minute
	$(MAKE) --no-print-directory mutations

peers: $(VENV)/.peers tools servers notifications
	PATH="$(TOOLS):$$PATH" $(BIN)/python -m pytest $(TWO) -m "peers and not corpus" tests

# Argo CD on a Kubernetes API of its own, in a network that has loopback only.
cluster: $(VENV)/.peers tools servers kube
	PATH="$(TOOLS):$$PATH" tests/argocd/loopback $(BIN)/python -m pytest -m cluster tests

# The Dockerfile, built and run without a container engine.
image: $(VENV)/.peers tools servers
	TOOLS="$(TOOLS)" IMAGE="$(CACHE)/image" tests/image/build
	PATH="$(TOOLS):$$PATH" IMAGE="$(CACHE)/image" $(BIN)/python -m pytest -m image tests

corpus: $(VENV)/.peers tools servers
	@test -n "$(CORPUS)" || { echo "make corpus CORPUS=DIR: a folder of real images, bundles and documents" >&2; exit 2; }
	PATH="$(TOOLS):$$PATH" CORPUS="$(abspath $(CORPUS))" $(BIN)/python -m pytest $(TWO) -m corpus tests

mutations: $(VENV)/.test
	$(BIN)/python tests/mutations.py

SEED ?= 0
COUNT ?= 100000
fuzz: $(VENV)/.test
	$(BIN)/python tests/fuzz/campaign.py --seed $(SEED) --count $(COUNT)

# A minute of it, with a seed of its own each day.
fuzz-minute: $(VENV)/.test
	$(BIN)/python tests/fuzz/campaign.py --seed $$(date +%Y%m%d) --seconds 60

bench: $(VENV)/.runtime
	$(BIN)/python benchmarks/rewrite.py
	$(BIN)/python benchmarks/policies.py
	$(BIN)/python benchmarks/questions.py
	PATH="$(TOOLS):$$PATH" $(BIN)/python benchmarks/commands.py

tools:
	@TOOLS="$(TOOLS)" bash tests/peers/install

servers kube notifications: tools
	@TOOLS="$(TOOLS)" bash tests/argocd/build $@

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

$(VENV)/.peers: $(VENV)/.test
	$(PIP) install --group peers
	@touch $@

$(VENV)/.lint: $(VENV)/.test
	$(PIP) install --group lint
	@touch $@

clean:
	rm -rf $(VENV) .cache
