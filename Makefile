# Every target prepares .venv by itself (.ci/venv); a second run finds it ready.
# make up SPEED=900 HOUSEHOLDS=20 DATA=some/folder; a Python of your own: make PYTHON=python3.12 test

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help up test test-exhaustive bench docs lint clean venv lock packages

BIN := .venv/bin
WORKERS ?= 3
# The contract suite stands on a network of its own, beside those that other tests bring up.
NETWORKS ?= 2
UV ?= uv
LOCK = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command "make lock" $(UPGRADE)
PYTEST := $(BIN)/pytest
BESIDE := -n $(WORKERS)
SLOWEST := --durations=20

# A run starts some hundred Python processes, and each would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

help: ## what can be made
	@sed -n 's/^\([a-z-]*\): .*## \(.*\)/make \1\t\2/p' Makefile | expand -t 24

venv: ## the environment in .venv, from the locked requirements
	@PYTHON="$(PYTHON)" sh .ci/venv

up: venv ## the market on this machine; SPEED=, HOUSEHOLDS=, DATA=, LEDGER= as `commonwatt up --help` says
	@exec $(BIN)/commonwatt up $(if $(SPEED),--speed "$(SPEED)") $(if $(HOUSEHOLDS),--households "$(HOUSEHOLDS)") $(if $(DATA),--data "$(DATA)") $(if $(LEDGER),--ledger "$(LEDGER)")

test: lint packages ## every check: style, types, floors, tests
	@began=$$(date +%s); set -ex; \
	$(PYTEST) $(SLOWEST) $(BESIDE) -m "not exhaustive and not network"; \
	$(PYTEST) $(SLOWEST) -n $(NETWORKS) --dist loadscope -m "network and not exhaustive"; \
	set +x; took=$$(($$(date +%s) - began)); \
	echo "All tests took $$((took / 60)) min $$((took % 60)) s, those on networks included."

packages: ## Debian's packages that tests need, where they are missing
	@sh .ci/packages

test-exhaustive: venv ## the spaces too large for every run (many minutes)
	$(PYTEST) $(BESIDE) -m exhaustive

lint: venv ## the checks that run nothing: ruff, import-linter, pyright
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/pyright

bench: venv ## the numbers that the project promises, measured here
	@$(BIN)/commonwatt bench

docs: venv ## the pages and the picture that are written from the code, into docs/
	@$(BIN)/python -m commonwatt.docs_generator docs

lock: ## the locked requirements from pyproject.toml, with uv; UPGRADE=--upgrade for newer versions
	$(LOCK) pyproject.toml -o requirements.txt
	$(LOCK) pyproject.toml --extra examples --group dev -o requirements-dev.txt
	$(LOCK) --group go -o requirements-go.txt
	$(LOCK) --group node -o requirements-node.txt

clean: ## remove what the checks and builds leave; .venv and the market's data stay
	rm -rf .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
