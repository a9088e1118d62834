# Every target installs its requirements on first use; `make help` lists the targets.

PYTHON ?= python3
VENV := .venv
SETUP := $(VENV)/set-up
BIN := $(VENV)/bin

export PYTHONPATH := $(CURDIR)/include

LOCAL := $(BIN)/python -m devtools.local_stack

# Coverage is measured only if all tests run, because a part of the tests covers only a part of the code. The tests with
# Airflow run after the others and alone: each uses the whole machine.
PARALLEL := --numprocesses 3 --dist worksteal

# Locked packages are accepted only with one of the hashes that the lock names.
COMPILED := --quiet --universal --python-version 3.11 --no-header --no-emit-index-url --generate-hashes

.PHONY: help setup run up down verify doctor queues requeue migrate migrate-sql uninstall
.PHONY: attack bench bench-large chaos
.PHONY: legacy-views import-check import compare
.PHONY: check format test test-fast docs page screenshots hooks lock
.DEFAULT_GOAL := help

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(SETUP) ## Install everything into .venv. Every other target does it when needed.

run: $(SETUP) ## Start the stack, load demo data, run the batch once, report, stop. The data is kept.
	@$(LOCAL) run

up: $(SETUP) ## Start the stack and keep it running until Ctrl-C or `make down`.
	@$(LOCAL) up

down: $(SETUP) ## Stop the running stack.
	@$(LOCAL) down

verify: $(SETUP) ## Print the violations of the invariants; fails unless all are 0.
	@$(LOCAL) verify

doctor: $(SETUP) ## Check everything that the system depends on, and print the command that mends each fault.
	@$(LOCAL) doctor

queues: $(SETUP) ## Show the number of messages in each queue, and the parked messages.
	@$(LOCAL) queues

requeue: $(SETUP) ## Return all parked messages to their queues.
	@$(LOCAL) requeue

bench: $(SETUP) ## Run the benchmark, for about an hour; options in BENCH, e.g. BENCH="--only saving script".
	@$(BIN)/python -m devtools.bench $(BENCH)

bench-large: $(SETUP) ## Measure the batch run with 100,000 bloggers, for an hour or more.
	@$(BIN)/python -m devtools.bench --only large $(BENCH)

chaos: $(SETUP) ## Disturb the stack in every way for 40 minutes; options in CHAOS, the choices repeated by SEED.
	@SEED="$(SEED)" $(BIN)/python -m devtools.chaos $(CHAOS)

migrate: $(SETUP) ## Apply the missing migrations to the application's database.
	@$(LOCAL) migrate

migrate-sql: $(SETUP) ## Print the SQL of the missing migrations, for a review, psql or the Supabase CLI.
	@$(LOCAL) migrate-sql

uninstall: $(SETUP) ## Remove the project's schema from the named database, after a question.
	@$(LOCAL) uninstall

attack: $(SETUP) ## Attack a stack of its own, for about two minutes; fails unless every try is repelled.
	@$(BIN)/python -m devtools.attack

legacy-views: $(SETUP) ## Print the template of the views over an earlier system's tables.
	@$(LOCAL) legacy-views

import-check: $(SETUP) ## Report what `make import` would bring over from an earlier system.
	@$(LOCAL) import-check

import: $(SETUP) ## Bring over what is new or changed in an earlier system's tables.
	@$(LOCAL) import

compare: $(SETUP) ## Compare the earlier system with this one; options in COMPARE, e.g. COMPARE="--since 2026-11-01".
	@$(LOCAL) compare $(COMPARE)

check: $(SETUP) ## Check lint, format, types, layers, language, SQL and generated pages, in about a minute.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m devtools.checks.prose \
		README.md CONTRIBUTING.md CHANGELOG.md SECURITY.md docs include devtools dags plugins tests
	$(BIN)/python -m devtools.checks.sql include devtools
	$(BIN)/python -m devtools.docs.settings_page --check
	$(BIN)/python -m devtools.docs.dag_pages --check

format: $(SETUP) ## Format the code and apply automatic fixes.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: $(SETUP) ## Run all tests; arguments for pytest in PYTEST, e.g. PYTEST="-k quotas".
ifdef PYTEST
	$(BIN)/pytest --durations=15 $(PYTEST)
else
	$(BIN)/pytest $(PARALLEL) -m "not airflow" --durations=15 --cov --cov-report= --cov-fail-under=0
	$(BIN)/pytest -m airflow --durations=15 --cov --cov-append --cov-report=term:skip-covered
endif

test-fast: $(SETUP) ## Run the tests without Airflow, without a pooler and without the long ones, in two to three minutes.
	$(BIN)/pytest --quiet $(PARALLEL) -m "not airflow and not pooled and not long" --durations=15 $(PYTEST)

docs: $(SETUP) ## Generate the pages of docs/ that are generated from the code.
	$(BIN)/python -m devtools.docs.settings_page
	$(BIN)/python -m devtools.docs.data_model_page
	$(BIN)/python -m devtools.docs.dag_pages

screenshots: $(SETUP) ## Make the screenshots of the Bloggers page in docs/bloggers-page/, with Chromium; takes five minutes.
	@$(BIN)/python -m devtools.docs.screenshots

page: ## Build the Bloggers page of Airflow's UI from devtools/bloggers_page; needs Node.js 20 or later.
	cd devtools/bloggers_page && npm ci && npm run build

hooks: $(SETUP) ## Install a git hook that runs the checks before each commit.
	$(BIN)/pre-commit install

lock: $(SETUP) ## Resolve all requirements into requirements.lock, and those of the image into requirements-image.lock.
	$(BIN)/uv pip compile $(COMPILED) --output-file requirements.lock \
		requirements.txt devtools/requirements.txt requirements-dev.txt
	$(BIN)/uv pip compile $(COMPILED) --no-annotate --output-file requirements-image.lock \
		--constraint requirements.lock requirements.txt

$(SETUP): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
			"Name another with: make PYTHON=python3.12" >&2; exit 1; }
	@echo "Setting up $(VENV): 1 of 3, an empty environment" >&2
	@$(PYTHON) -m venv --clear $(VENV) || { \
		echo "Python's module venv is missing or broken; on Debian: apt install python3-venv" >&2; exit 1; }
	@echo "Setting up $(VENV): 2 of 3, the installer uv" >&2
	@sed -n '/^uv==/,/^    #/p' requirements.lock | $(BIN)/python -m pip install -qq --disable-pip-version-check \
		--no-deps --require-hashes --requirement /dev/stdin
	@echo "Setting up $(VENV): 3 of 3, $$(grep -c '^[a-z0-9].*==' requirements.lock) packages" >&2
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --compile-bytecode --require-hashes \
		--requirement requirements.lock
	@touch $@
