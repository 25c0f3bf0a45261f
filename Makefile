PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
LOCK := uv pip compile --python-version 3.11 --universal --generate-hashes --quiet \
  --no-emit-index-url --no-emit-find-links --no-header

.PHONY: env test lint format schema compose-test lock

env: $(VENV)/.ready

$(VENV)/.ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

test: env
	$(BIN)/pytest -m "not compose"

lint: env
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy services
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/contract tests/unit/test_documents.py

format: env
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

# the JSON Schema of the portfolio file, from its model
schema: env
	$(BIN)/python -c "from trimtab.documents import json_schema; print(json_schema(), end='')" > schemas/portfolio.schema.json

compose-test: env
	$(BIN)/pytest -m compose tests/e2e/compose

# needs uv; the image's lock is a part of the whole one, so that both have the same versions
lock:
	$(LOCK) pyproject.toml --all-extras -o requirements.lock
	$(LOCK) pyproject.toml --constraints requirements.lock -o requirements.runtime.lock
	echo 'hatchling==1.33.0' | $(LOCK) - --constraints requirements.lock -o requirements.build.lock
