# Two commands: `make book` builds the site, `make test` runs every check. `make help` lists the rest.
# Needs only python3 (3.11 to 3.13) with its venv module, and make.

PYTHON ?= python3
# Linux users who want the small CPU build of torch may name an index that offers it: make book TORCH_INDEX=URL
TORCH_INDEX ?=

VENV := .venv
BIN := $(VENV)/bin
SITE := _build/html
# The environment is as old as its stamp, which is named by a hash of what it was installed from.
PINS := $(shell cat pyproject.toml constraints.txt | cksum | cut -d' ' -f1)
BOOK_STAMP := $(VENV)/.book-$(PINS)
TEST_STAMP := $(VENV)/.test-$(PINS)

# One torch thread a process: processes are what runs side by side. Jupyter's paths: no warning about their move.
export OMP_NUM_THREADS := 1
export JUPYTER_PLATFORM_DIRS := 1
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help

help:  ## show this list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

book: $(BOOK_STAMP)  ## run the notebooks and build the site (the first time also the environment)
	python book/execute.py
	jupyter-book build book --config _config.yml --toc book/_toc.yml --path-output . --all -W -n --keep-going --quiet
	@echo "The book is built. Open $(SITE)/index.html, or run 'make serve'."

test: $(TEST_STAMP) book lint  ## run every check: style, types, package, notebooks, site
	pytest tests/package

lint: $(TEST_STAMP)  ## check style, types and spelling only
	ruff check .
	ruff format --check .
	pyright --warnings
	codespell

lab: $(BOOK_STAMP)  ## open the notebooks in JupyterLab
	jupyter lab --notebook-dir=book

serve:  ## serve the built site on http://localhost:8000
	python3 -m http.server --bind localhost --directory $(SITE) 8000

pins: $(TEST_STAMP)  ## write constraints.txt anew from pyproject.toml (needs uv)

clean:  ## remove the built site, its caches and the environment
	rm -rf _build $(VENV) .coverage .pytest_cache .ruff_cache .hypothesis

.PHONY: help book test lint lab serve pins clean
