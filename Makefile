# What a developer does, by name. Each target is one command that CONTRIBUTING.md explains; `make` alone lists them.

PYTHON := .venv/bin/python -I

.DEFAULT_GOAL := help
.PHONY: help set-up test fast lint format docs wheel coverage newest rules faults acceptance long bench ci

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.* ## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

set-up: ## make .venv from the lock file, if it is not ready; the other targets do it too
	bin/set-up make requirements-dev.lock

test: ## all tests
	bin/test

fast: ## the tests that take less than a second each
	bin/test -m 'not slow'

lint: set-up ## ruff, mypy, the layers, and whether the references in docs/ are fresh
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	.venv/bin/lint-imports --no-logo
	$(PYTHON) docs/generate.py --check

format: set-up ## have ruff repair and format what it can
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

docs: set-up ## write the references in docs/ from the code
	$(PYTHON) docs/generate.py

wheel: set-up ## wheel and sdist into dist/
	$(PYTHON) -m build --no-isolation

coverage: set-up ## which lines the tests reach, programs included; TESTS=tests/core for some
	$(PYTHON) -m coverage erase
	-$(PYTHON) -m coverage run -m pytest $(TESTS)
	$(PYTHON) -m coverage combine -q
	$(PYTHON) -m coverage report

newest: set-up ## the fast tests on the newest CPython that is installed
	.venv/bin/python -m tests.other_python

rules: set-up ## break every rule of the core once and see a test fail
	.venv/bin/python tests/break_rules.py

faults: ## hurt and attack a running supervisor in every way
	bin/test tests/faults tests/security --all-faults

acceptance: set-up ## the acceptance points of work inside an environment, with both SDKs, as a table; WORDS="--points 2,5"
	.venv/bin/python -m tests.acceptance $(WORDS)

long: rules faults coverage ## what takes too long for CI: an hour or two

bench: ## all benchmarks; `benchmarks/run --list` names them
	benchmarks/run

ci: ## everything that CI runs
	.ci/run
