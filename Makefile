# `make` alone builds the environment; `make help` lists what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export OMP_NUM_THREADS ?= 1

.PHONY: all help demo test test-slow check lint format bench lock clean

all: $(STAMP)  ## build the environment in .venv (a second call reuses it)

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Everfit needs Python 3.11 or newer; try make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

demo: $(STAMP)  ## the main job on real data that an installed package carries
	$(BIN)/everfit demo

test: $(STAMP)  ## the whole test suite
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-slow: $(STAMP)  ## the long simulations
	$(BIN)/python -m pytest -n 2 -m slow

check: lint test  ## everything that must hold: lint and all tests

lint: $(STAMP)  ## format, lint, strict types, import contract, doctests
	$(BIN)/ruff format --check src tests bench examples docs
	$(BIN)/ruff check src tests bench examples docs
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest --doctest-modules src -p no:cacheprovider

format: $(STAMP)  ## rewrite the code in the house format
	$(BIN)/ruff format src tests bench examples docs
	$(BIN)/ruff check --fix src tests bench examples docs

bench: $(STAMP)  ## speed, memory, accuracy: ratios within one run (long)
	$(BIN)/python -m bench

lock: $(STAMP)  ## renew the exact versions from pyproject.toml
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --universal --quiet --no-header --no-annotate --no-emit-index-url --no-emit-find-links --group dev --output-file requirements.lock pyproject.toml

clean:  ## remove the environment and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache build src/*.egg-info
