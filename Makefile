# What a developer needs, by name. Every target makes the environment it wants in .venv and reuses it.
#   make demo    a real table from nothing to a report, and predictions on new rows
#   make test    the tests, with coverage            make lint   style, types, layers
#   make docs    rewrite docs/cli.md from the command line itself and check the docs
#   make bench   the benchmarks                      make lock   resolve the requirements anew
#   make clean   remove everything made here

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

export UV_COMPILE_BYTECODE := 1
export UV_PYTHON_DOWNLOADS := never
export VIRTUAL_ENV := $(CURDIR)/.venv
# A small fit with several OpenMP threads is many times slower as soon as another process runs beside it.
export OMP_NUM_THREADS := 1
export PATH := $(PATH):$(CURDIR)/.venv-uv/bin

# uv from the machine, or one of our own: a private folder works where Python is marked as externally managed.
UV := $(shell uv --version >/dev/null 2>&1 && echo uv || echo .venv-uv/bin/uv)
PYTHON := .venv/bin/python
COMPILE := pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
  --no-emit-index-url --no-emit-find-links
# The demo takes every extra but `deep`: PyTorch is 3 GB to fetch, and the demo does not learn with it.
LIGHT := --extra audit --extra boost --extra image --extra sign

.PHONY: help demo test lint docs bench lock wheel clean

help:
	@sed -n 's/^#   //p' Makefile

demo: .venv/.demo
	@$(PYTHON) examples/demo.py

test: .venv/.dev
	@rm -f .coverage .coverage.*
	$(PYTHON) -m coverage run -m pytest -n 2 $(ARGS)
	@$(PYTHON) -m coverage combine --quiet
	$(PYTHON) -m coverage report

lint: .venv/.dev
	$(PYTHON) -m ruff check
	$(PYTHON) -m mypy
	.venv/bin/lint-imports

docs: .venv/.dev
	$(PYTHON) docs/make_cli.py docs/cli.md
	$(PYTHON) -m pytest tests/test_docs.py

bench: .venv/.dev
	@for script in benchmarks/*.py; do echo "== $$script"; $(PYTHON) "$$script"; done

wheel: .venv/.dev
	$(PYTHON) -m hatchling build -t wheel -d dist

lock: | $(filter .venv-uv/bin/uv,$(UV))
	$(UV) $(COMPILE) pyproject.toml $(LIGHT) --group demo -o requirements/demo.txt
	$(UV) $(COMPILE) pyproject.toml --extra all --group demo --group test --group lint -c requirements/demo.txt -o requirements/dev.txt

clean:
	rm -rf .venv .venv-uv .coverage .coverage.* htmlcov dist demo-out .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

# One environment, filled as far as a target needs it. The stamps say what has been put there.
.venv/.demo .venv/.dev: .venv/.%: requirements/%.txt pyproject.toml | .venv/bin/python
	$(UV) pip install --quiet --require-hashes -r $<
	$(UV) pip install --quiet --no-deps -e .
	@touch $@

.venv/bin/python: | $(filter .venv-uv/bin/uv,$(UV))
	$(UV) venv --quiet --allow-existing --python '>=3.11,<3.14' .venv

# Debian's Python may come without venv: then pip puts uv into a plain folder.
.venv-uv/bin/uv:
	python3 -m venv .venv-uv && .venv-uv/bin/python -m pip install --quiet uv \
	  || { rm -rf .venv-uv; python3 -m pip install --quiet --target .venv-uv uv; }
