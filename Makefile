# The project's commands; `make` lists them. `make book` and `make test` do all the set-up
# themselves, in .venv. Everything runs from this folder, whatever its path.

PYTHON ?= python3
PORT ?= 8000
PROFILE ?=
DEVICE ?=
PYTEST_ARGS ?=
CARRY_PYTHON ?= 3.12
CARRY_MACHINE ?= x86_64
LOCK_PYTHONS ?= python3.11 python3.12

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
MAKEFLAGS += --no-builtin-rules --no-print-directory

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check
FRONTEND := $(shell find frontend -name node_modules -prune -o -type f -print 2>/dev/null)
BUNDLE := book/vendor/.built
BOOK := _build/html/searchindex.js# what a build writes last
CHAPTERS := _config.yml _toc.yml $(wildcard $(BUNDLE)) $(shell find book esp_lib results \
  \( -name vendor -o -name __pycache__ -o -name .ipynb_checkpoints \) -prune -o -type f -print 2>/dev/null)
# What runs the compiled loops; small enough for plain Python.
LOOPS := tests/sampling tests/quadratic tests/theory -k twin
NODE_MAJOR = $(shell node --version 2>/dev/null | sed -E 's/^v([0-9]+).*/\1/')

.PHONY: help setup setup-dev assets book pdf serve figures carry check test coverage bench links format lock clean distclean

help:  ## list these targets
	@echo "usage: make TARGET [NAME=value ...]"
	@awk -F ':[^#]*## ' '/^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' Makefile

# ---------------------------------------------------------------------- environment, set up once

$(VENV)/.made:
	@$(PYTHON) tools/check_python.py
	@echo "== creating $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.book: $(VENV)/.made requirements.txt requirements.lock pyproject.toml
	@echo "== installing what the book needs: requirements.txt (the first time takes minutes)"
	@$(PIP) install -r requirements.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.book requirements-dev.txt
	@echo "== installing what the tests need: requirements-dev.txt"
	@$(PIP) install -r requirements-dev.txt
	@touch $@

setup: $(VENV)/.book
setup-dev: $(VENV)/.dev

frontend/node_modules/.installed: frontend/package.json frontend/package-lock.json
	@echo "== installing the pages' JavaScript: frontend/package-lock.json"
	@npm --prefix frontend ci
	@touch $@

$(BUNDLE): frontend/node_modules/.installed $(FRONTEND)
	@echo "== bundling the pages' JavaScript"
	@npm --prefix frontend run build
	@touch $@

assets:  ## bundle the pages' JavaScript (Node 20 or newer; without it the pages use public CDNs)
	@if [ "$(or $(NODE_MAJOR),0)" -ge 20 ]; then \
	  $(MAKE) -s $(BUNDLE); \
	elif [ -e $(BUNDLE) ]; then \
	  echo "== no Node 20: keeping the JavaScript bundled before"; \
	else \
	  echo "== no Node 20: the pages will load widgets and MathJax from public CDNs"; \
	fi

# --------------------------------------------------------------------------------------- the book

$(BOOK): $(CHAPTERS) | $(VENV)/.book
	@echo "== building the book: every chapter is executed"
	@$(VENV)/bin/jupyter-book build . --all -W -n --keep-going

book: setup assets  ## execute every chapter and write the book to _build/html
	@rm -f $(BOOK)
	@$(MAKE) $(BOOK)
	@$(PY) -c 'from pathlib import Path; print("== open", Path("_build/html/index.html").resolve().as_uri()); print("   or run: make serve")'

pdf: setup-dev  ## print the built book into _build/html with Chromium (ESP_CHROMIUM=path)
	@$(PY) tools/print_book.py

serve:  ## serve _build/html on this machine (PORT=8000)
	@[ -e _build/html/index.html ] || { echo "nothing to serve yet: run make book first"; exit 1; }
	@echo "== http://127.0.0.1:$(PORT)/ (stop with Ctrl-C)"
	@$(PYTHON) -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

figures: setup  ## recompute every chapter with papermill into _build/figures (PROFILE=, DEVICE=)
	@$(PY) tools/run_chapters.py $(if $(PROFILE),-p profile $(PROFILE)) $(if $(DEVICE),-p device $(DEVICE))

carry: setup  ## fetch into carry/ what a GPU machine without a network lacks (CARRY_PYTHON=3.12)
	@rm -rf carry && mkdir -p carry/data
	@echo "== packages for Python $(CARRY_PYTHON) on $(CARRY_MACHINE): carry/packages"
	@$(PIP) install --quiet --target carry/packages -c requirements.lock \
	  --python-version $(CARRY_PYTHON) --implementation cp --only-binary=:all: \
	  $(foreach tag,manylinux_2_28 manylinux_2_17 manylinux2014,--platform $(tag)_$(CARRY_MACHINE)) \
	  papermill ipykernel ipywidgets anywidget
	@rm -rf carry/packages/debugpy* carry/packages/jedi*  # a debugger and completion: 70 MB
	@for text in wikitext-2 glue; do \
	  if [ -d "$${ESP_DATA:-}/$$text" ]; then cp -r "$$ESP_DATA/$$text" carry/data/; \
	  else echo "== without $$text: ESP_DATA names no folder that holds it"; fi; \
	done
	@du -sh carry/*

links: setup  ## follow the book's external links
	@echo "== checking external links: every chapter is executed first"
	@$(VENV)/bin/jupyter-book build . --all --builder linkcheck

# ----------------------------------------------------------------------------------------- checks

check: setup-dev  ## lint, formatting, types and floors only
	@echo "== ruff: lint"
	@$(VENV)/bin/ruff check .
	@echo "== ruff: formatting"
	@$(VENV)/bin/ruff format --check .
	@echo "== mypy"
	@$(VENV)/bin/mypy
	@echo "== import-linter: no import upward, no circle"
	@$(VENV)/bin/lint-imports --no-cache

test: check assets  ## check, build the book if it is not fresh, run every test (PYTEST_ARGS=)
	@$(MAKE) -s $(BOOK)
	@echo "== pytest: what measures time, on a machine that does nothing else"
	@$(PY) -m pytest -m timing $(PYTEST_ARGS) || [ $$? -eq 5 ]  # 5: none selected
	@echo "== pytest: the rest, warnings are errors; two processes, one thread each"
	@OMP_NUM_THREADS=1 $(PY) -m pytest -m "not timing" -n 2 --dist worksteal $(PYTEST_ARGS)

coverage: setup-dev assets  ## which lines of esp_lib the tests run; fails under 90 % (PYTEST_ARGS=)
	@$(MAKE) -s $(BOOK)
	@rm -rf _build/coverage && mkdir -p _build/coverage
	@echo "== pytest, line by line"
	@$(PY) -m coverage run -m pytest -m "not timing" -n 2 --dist worksteal $(PYTEST_ARGS)
	@echo "== the compiled loops, as the Python that they are written in"
	@NUMBA_DISABLE_JIT=1 $(PY) -m coverage run -m pytest -q -m "not timing" $(LOOPS)
	@$(PY) -m coverage combine --quiet
	@$(PY) -m coverage report

bench: setup-dev  ## run every benchmark, e.g. the fast simulation against its readable twin
	@for file in $(wildcard benchmarks/[a-z]*.py); do \
	  name=$$(basename "$$file" .py); echo "== benchmarks.$$name"; $(PY) -m "benchmarks.$$name"; \
	done

format: setup-dev  ## put code and notebooks in the house style
	@$(VENV)/bin/ruff check --fix .
	@$(VENV)/bin/ruff format .

lock:  ## rewrite requirements.lock (LOCK_PYTHONS="python3.11 python3.12")
	@$(PYTHON) tools/lock.py $(LOCK_PYTHONS)

# --------------------------------------------------------------------------------------- clean up

clean:  ## remove what the commands wrote: the book, bundles and caches
	@echo "== removing _build, book/vendor and caches"
	@rm -rf _build build mutants book/vendor .mypy_cache .pytest_cache .ruff_cache *.egg-info
	@find . -path ./$(VENV) -prune -o -path ./frontend/node_modules -prune -o \
	  \( -name __pycache__ -o -name .ipynb_checkpoints \) -type d -exec rm -rf {} +

distclean: clean  ## clean, and remove .venv and node_modules as well
	@echo "== removing $(VENV) and frontend/node_modules"
	@rm -rf $(VENV) frontend/node_modules
