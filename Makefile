# `make audit` and `make test` do everything on a fresh machine: environment,
# installation, run. PYTHON= chooses the interpreter.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= reports/audit-$(shell date +%Y%m%d-%H%M%S)

.PHONY: audit test test-all lint bench clean

audit: $(VENV)/installed
	$(BIN)/python -m launch.audit --out=$(OUT)

test: $(VENV)/installed
	$(BIN)/python -m pytest --numprocesses=auto --dist=loadfile

test-all: $(VENV)/installed
	$(BIN)/python -m pytest --numprocesses=auto --dist=loadfile -m 'slow or not slow'

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

bench: $(VENV)/installed-bench
	$(BIN)/python -m benchmarks.run

$(VENV)/installed: setup.py requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "jaxprivacy needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@

$(VENV)/installed-bench: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,bench]'
	touch $@

clean:
	rm -rf $(VENV)
