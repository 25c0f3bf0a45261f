PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
LOCK := uv pip compile --python-version 3.11 --universal --generate-hashes --quiet \
  --no-emit-index-url --no-emit-find-links --no-header
# the suites' Kafka, registry and PostgreSQL: embedded, or containers of a Docker engine
export TRIMTAB_TEST_STACK ?= embedded

.PHONY: bench bench-peer env demo test oracle fuzz lint format schema up down compose-test lock

env: $(VENV)/.ready

$(VENV)/.ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

# TAPE=file trades a recorded market instead of the synthetic one
demo: env
	$(BIN)/trimtab demo $(if $(TAPE),--tape $(TAPE))

# two workers, as there are processors, each with a Kafka, registry and PostgreSQL of its own; the end-to-end suite stays
# on one of them. With a third one the suites that wait for something have no reserves on a slow machine
WORKERS := -n 2 --no-loadscope-reorder

test: env
	$(BIN)/pytest -m "not compose" $(WORKERS)

# random decisions against a slow second implementation; `make test` runs 100,000. FIRST=n goes on from case n of the SEED
CASES ?= 1000000
SEED ?= 1
FIRST ?= 0
PROCESSES ?= 2
oracle: env
	PYTHONPATH=tests $(BIN)/python -m oracle --cases $(CASES) --seed $(SEED) --first $(FIRST) --processes $(PROCESSES)

# seeded requests to the simulated exchange, most of them wrong; `make test` sends 1,500. Prints what they were answered
REQUESTS ?= 10000
fuzz: env
	$(BIN)/pytest -q tests/integration/test_exchange_fuzz.py tests/integration/test_coinbase_fuzz.py \
	  --fuzz-requests $(REQUESTS) --fuzz-seed $(SEED)

# writes and prints the measures
bench: env
	$(BIN)/trimtab bench --write var/bench.json

# the same rebalances by bt, by nautilus_trader and by ours, side by side; each comes into an environment of its own
# beside this one, as they need different versions of pandas
bench-peer: $(VENV)-peers/.ready $(VENV)-nautilus/.ready
	PYTHONPATH=services $(VENV)-peers/bin/python -m trimtab.cli bench peer
	PYTHONPATH=services $(VENV)-nautilus/bin/python -m trimtab.cli bench books

$(VENV)-%/.ready: requirements.%.lock
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	touch $@

lint: env
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy services
	$(BIN)/lint-imports
	$(BIN)/pytest -qq --collect-only  # two test files of one name hide each other
	$(BIN)/pytest -q tests/unit/test_documents.py tests/contract/test_topics_manifest.py

format: env
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

# the JSON Schema of the portfolio file, from its model
schema: env
	$(BIN)/python -c "from trimtab.documents import json_schema; print(json_schema(), end='')" > schemas/portfolio.schema.json

up: env
	$(BIN)/trimtab up --embedded

down: env
	$(BIN)/trimtab down

# the image, docker compose, and every suite that runs on the shared Kafka, registry and PostgreSQL on containers
compose-test: env
	$(BIN)/pytest -m compose tests/e2e/compose
	TRIMTAB_TEST_STACK=containers $(BIN)/pytest -m stack tests $(WORKERS)

# needs uv; the image's lock is a part of the whole one, so that both have the same versions
lock:
	$(LOCK) pyproject.toml --extra embedded --extra bench --extra report --extra dev -o requirements.lock
	$(LOCK) pyproject.toml --extra embedded --extra bench --extra peers --constraints requirements.lock -o requirements.peers.lock
	$(LOCK) pyproject.toml --extra embedded --extra bench --extra nautilus --constraints requirements.lock -o requirements.nautilus.lock
	$(LOCK) pyproject.toml --constraints requirements.lock -o requirements.runtime.lock
	echo 'hatchling==1.33.0' | $(LOCK) - --constraints requirements.lock -o requirements.build.lock
