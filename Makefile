# `make demo` and `make test` do all of their own set-up; they need Python 3.11 or later, pip and make.

VENV := .venv
BIN := $(VENV)/bin
RUNS := $(VENV)/.runs
STAMP := $(VENV)/.installed
CODE := server workers tests benchmarks
PROSE := $(wildcard *.md docs/*.md)

.DEFAULT_GOAL := help
AUDIT := Audit these repositories for secrets, dependency problems and missing tests

.PHONY: help install demo audit bench test lint types pyright mypy pytest coverage constraints clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1 - /p' $(MAKEFILE_LIST)

install: $(RUNS)  ## put the fanfold command into .venv

demo: $(RUNS)  ## show the product at work, in under two minutes
	@$(BIN)/python benchmarks/demo.py

audit: $(RUNS)  ## fetch the sources of 50 widely used packages and audit them all
	$(BIN)/python benchmarks/fetch_archives.py
	$(BIN)/fanfold run "$(AUDIT)" --root repos=benchmarks/data/repos || [ $$? -eq 3 ]

bench: $(STAMP)  ## calls, dispatch, synthesis and estimates against simulated models; takes two hours
	@$(BIN)/python -m benchmarks.calls
	@$(BIN)/python -m benchmarks.dispatch
	@$(BIN)/python -m benchmarks.folding
	@$(BIN)/python -m benchmarks.estimates

test: lint types pytest  ## every check there is; what continuous integration runs

lint: $(STAMP)  ## format, lint, import rules, spelling
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/lint-imports --no-logo
	$(BIN)/codespell --skip benchmarks/data,server/fanfold_server/evaluation/cases $(CODE) $(PROSE) Makefile

types: $(STAMP)  ## both type checkers, strict: each finds what the other misses
	@$(MAKE) --no-print-directory --jobs 2 pyright mypy

pyright mypy:
	$(BIN)/$@

# Where bytecode is not to be kept, each of the hundreds of processes would compile the code again.
pytest: export PYTHONDONTWRITEBYTECODE :=
pytest: $(STAMP)  ## the tests, with branch coverage
	@$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest </dev/null
	@$(BIN)/coverage combine --quiet
	@echo "branch coverage $$($(BIN)/coverage report --format=total) % (make coverage shows the lines missed)"

coverage: $(STAMP)  ## lines that the last tests did not reach
	@$(BIN)/coverage report --show-missing

constraints: $(STAMP)  ## move the development versions to the newest and write them down
	@$(call install,--group dev --upgrade)
	@$(BIN)/python -c "$$FREEZE" >constraints.txt
	@touch $(STAMP)

clean:  ## remove what the other targets made
	rm -rf $(VENV) .coverage .coverage.* .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache

# -- set-up -----------------------------------------------------------------------------------------------------------

# Named versions may be shims that lead nowhere, so each candidate is asked.
FIND_PYTHON = for python in $(PYTHON) python3.13 python3.12 python3.11 python3 python; do \
	if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then break; fi; python=; done; \
	if [ -z "$$python" ]; then echo "No Python 3.11 or later was found: install one, or say make PYTHON=..." >&2; exit 1; fi

# Some systems split ensurepip off; their pip can still install into the environment.
NEW_VENV = $$python -m venv --clear $(VENV) >/dev/null 2>&1 || { \
	$$python -m venv --clear --without-pip $(VENV) && \
	$$python -m pip --python $(BIN)/python install --quiet pip; }

WITH_PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check

define install
if command -v uv >/dev/null 2>&1 && uv pip install --quiet --python $(BIN)/python --editable . $(1); then :; else \
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null; \
	$(WITH_PIP) --upgrade 'pip>=25.1' && $(WITH_PIP) --editable . $(1); fi
endef

define FREEZE
from importlib.metadata import distributions
names = {d.name.lower().replace('_', '-'): d.version for d in distributions()}
for name in sorted(names.keys() - {'fanfold', 'pip', 'setuptools'}):
    print(f'{name}=={names[name]}')
endef
export FREEZE

$(RUNS): pyproject.toml constraints.txt
	@$(FIND_PYTHON); \
	if [ ! -x $(BIN)/python ] || ! $(BIN)/python -c pass 2>/dev/null; then \
		echo "Making $(VENV) with $$($$python --version) ..."; $(NEW_VENV); fi
	@echo "Installing fanfold ..."
	@$(call install,--constraint constraints.txt)
	@touch $@

$(STAMP): $(RUNS)
	@echo "Installing the development tools ..."
	@$(call install,--group dev --constraint constraints.txt)
	@touch $@
