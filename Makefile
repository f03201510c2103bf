# What a person types. Every target installs what it needs first (tools/setup.sh); a second call starts at once.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
export PYTHONPATH := $(CURDIR)
export LC_ALL := C.UTF-8
PYTHON := .venv/bin/python
UV := .bongsu/bootstrap/bin/uv
COMPILE := $(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-annotate

.PHONY: help setup demo test lint format bench chaos faults compose up down lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

setup: ## install what is missing, into .venv and from the OS packages
	@tools/setup.sh

demo: setup ## send a 100,000-row customer file through a real Airflow and close the books
	@$(PYTHON) -m sandbox.demo

test: ## lint, type-check and test everything, the browser included
	@tools/setup.sh --browser
	@$(MAKE) --no-print-directory lint
	@$(PYTHON) -m pytest

lint: setup ## ruff, mypy and the arrows between the rooms
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-logo

format: setup ## let ruff put the code in order
	@.venv/bin/ruff check --fix
	@.venv/bin/ruff format

bench: setup ## measure, each number beside its limit; SIZE=--small for 100,000 rows
	@$(PYTHON) -m benchmarks $(SIZE)

chaos: setup ## kill all that a 200,000-recipient run needs, one after the other, while it runs
	@$(PYTHON) -m tests.faults.chaos

faults: setup ## N=1000 seeded fault schedules on real servers; SEED=… to replay one
	@$(PYTHON) -m tests.faults.schedules $(or $(N),1000) $(SEED)

compose: setup ## build the image and prove the compose file in a container engine (root, Debian); KEEP=1 keeps the images
	@$(PYTHON) -m tests.compose

up: ## start Airflow and the databases, print the address and the login
	@./bongsu up

down: ## stop them
	@./bongsu down

lock: setup ## resolve requirements*.txt into requirements.lock again
	@$(COMPILE) --custom-compile-command 'make lock' requirements.txt requirements-dev.txt -o requirements.lock
	@tools/setup.sh

clean: ## stop everything and remove .venv and .bongsu (the databases with all they hold)
	@if [ -x .venv/bin/python ]; then ./bongsu down || true; fi
	@if [ -L .bongsu/postgres ]; then rm -rf "$$(dirname "$$(readlink .bongsu/postgres)")"; fi
	@rm -rf .venv .bongsu .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis *.egg-info
