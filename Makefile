# Two commands: `make book` builds the site, `make test` runs every check. `make help` lists the rest.
# Needs only make and python3 (3.11 to 3.13) with its venv module.

PYTHON ?= python3
override PYTHON := $(or $(strip $(PYTHON)),python3)
PORT ?= 8000
# Which faults `make mutants` plants; see tests/mutants.py.
MUTANTS ?= --sample 100
# Linux users who want the small CPU build of torch may name a package index that offers it: make book TORCH_INDEX=URL
TORCH_INDEX ?=

override VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
SITE := _build/html
# What the site is made from; folders too, so that a file that goes is seen.
SOURCES := _config.yml pyproject.toml constraints.txt $(shell find book/ mtfl -name __pycache__ -prune -o -name .ipynb_checkpoints -prune -o -print)

# The stamps of an environment are named by a hash of what it was installed from.
PINS := $(shell cat pyproject.toml constraints.txt | cksum | cut -d' ' -f1)
BOOK_STAMP := $(VENV)/.book-$(PINS)
TEST_STAMP := $(VENV)/.test-$(PINS)

# One torch thread a process: what runs side by side are processes.
export OMP_NUM_THREADS := 1
export PATH := $(BIN):$(PATH)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help book pdf test lint arithmetic mutants twice lab serve pins clean

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 10

book: $(SITE)/.complete ## run the notebooks and build the site; the first time, make the environment
	@echo "The book is built: open $(SITE)/index.html, or run 'make serve'."

pdf: $(TEST_STAMP) book ## print the whole book into _build/book.pdf (needs a Chromium, as the tests of the site do)
	python book/pdf.py

# The book was built in the arithmetic of this machine. Here the notebooks run in another one, of the oldest instructions.
# There are more workers than two cores: a test of a page spends half of its time waiting for frames.
test: $(TEST_STAMP) lint book ## run every check: style, types, package, notebooks, site
	env $$(python tests/arithmetic/compare.py --environment plain) TQDM_DISABLE=1 \
	  pytest book -n 3 --dist loadfile --no-loadscope-reorder --nbval-lax --nbval-current-env --nbval-kernel-startup-timeout 1800
	pytest tests -n 4 --dist worksteal --cov

lint: $(TEST_STAMP) ## check only style, types and spelling
	ruff check .
	ruff format --check .
	pyright
	codespell

arithmetic: $(TEST_STAMP) ## run notebooks and tests in several arithmetics, and list what moves: an hour
	python tests/arithmetic/compare.py

mutants: $(TEST_STAMP) ## plant faults where numbers are made, and list those that no test notices: an hour; MUTANTS="--sample N --seed S"
	python tests/mutants.py $(MUTANTS)

twice: book ## build the site once more, and list the files in which the two builds differ
	python tests/twice.py

lab: $(SITE)/.complete ## open the chapters in JupyterLab, as the site shows them
	python -m mtfl.sphinx_ext.lab $(SITE)/_sources lab
	ln -sfn ../book/data lab/data
	jupyter lab lab/intro.ipynb

serve: ## serve the built site on port 8000 of this machine, or on PORT
	@test -f $(SITE)/index.html || { echo "There is no site yet. Run 'make book' first."; exit 1; }
	$(call check_python,serve)
	@$(PYTHON) -c 'import socket, sys; socket.create_server(("127.0.0.1", int(sys.argv[1])))' "$(PORT)" 2> /dev/null || \
	  { echo "Port $(PORT) is taken, or none. Name another: make serve PORT=8001"; exit 1; }
	$(PYTHON) -m http.server --bind 127.0.0.1 --directory $(SITE) $(PORT)

pins: ## write constraints.txt anew from pyproject.toml (needs uv)
	uv pip compile --universal --python-version 3.11 --no-annotate --no-header --extra test --extra bench pyproject.toml \
	  | grep -vE '^(nvidia-|cuda-|triton=)' > constraints.tmp
	{ sed -n '/^#/p' constraints.txt; cat constraints.tmp; } > constraints.new
	mv constraints.new constraints.txt && rm constraints.tmp

clean: ## remove the site, its caches and the environment
	rm -rf _build $(VENV) .coverage .hypothesis .pytest_cache .ruff_cache

$(BOOK_STAMP):
	$(call install,book)
	touch $@

$(TEST_STAMP):
	$(call install,test)
	touch $@ $(BOOK_STAMP)

# A page depends on more files than Sphinx knows of, so all of them are built when anything has changed.
$(SITE)/.complete: $(SOURCES) | $(BOOK_STAMP)
	rm -f $@
	python book/execute.py
	jupyter-book build book --config _config.yml --path-output . --all -W -n --keep-going -q
	touch $@

define check_python
	@test "$$($(PYTHON) -c 'import sys; print((3, 11) <= sys.version_info < (3, 14))')" = True || \
	  { echo "$(PYTHON) must be Python 3.11, 3.12 or 3.13. Name one: make $(1) PYTHON=python3.12"; exit 1; }
endef

define install
	$(call check_python,book)
	@echo "Installing into $(VENV): the first time this takes some minutes."
	$(PYTHON) -m venv $(VENV)
	rm -f $(VENV)/.book-* $(VENV)/.test-*
	$(VENV)/bin/python -m pip install --quiet -c constraints.txt $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) torch
	$(VENV)/bin/python -m pip install --quiet -c constraints.txt --editable '.[$(1)]'
	$(VENV)/bin/python -c 'import matplotlib.font_manager' # builds the font cache
endef
