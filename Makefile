# One command per chore. Everything below works from a fresh clone: .ci/ makes the virtual environment and finds an engine.
.DEFAULT_GOAL := help
.PHONY: help demo setup fmt lint type test unit integration hostile fuzz soak crashes faults engines bench images docs check clean
MAKEFLAGS += --no-print-directory

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

demo: ## Run an agent on a sample repository in a real container; show its branch and diff
	@.ci/with-engine .ci/demo

setup: ## Make .venv and get a Docker engine to answer (stop it with .ci/teardown)
	@.ci/setup

fmt: ## Format the code and mend what can be mended
	@.ci/tool ruff format . && .ci/tool ruff check --fix .

lint: ## Check style and shell syntax
	@.ci/lint

type: ## Check types (mypy --strict)
	@.ci/tool mypy

test: ## Run all tests
	@.ci/with-engine .ci/test tests

unit: ## Run the tests that need no Docker; they take seconds
	@.ci/tool pytest -q -n auto tests/unit

integration: ## Run the tests of each part and of whole runs against a real engine
	@.ci/with-engine .ci/test tests/contract tests/integration

hostile: ## Run the attacks
	@.ci/with-engine .ci/test tests/hostile

fuzz: ## Try handouts of a hostile collector on the host's side for FUZZ_SECONDS (300)
	@.ci/tool python -m tests.fuzz $(or $(FUZZ_SECONDS),300)

soak: ## Three hundred runs with random faults, which have to leave nothing
	@.ci/with-engine .ci/tool python -m tests.soak --runs 300

crashes: ## Kill Paddock at every effect of a run and of a recovery; `make check` tries each fourth
	@PADDOCK_EVERY_POINT=1 .ci/with-engine .ci/test tests/integration/test_crashes.py

faults: ## A batch of 200 tasks while it, its containers and its engine are killed; `make check` has a small one
	@PADDOCK_BATCH_TASKS=200 .ci/with-engine .ci/test tests/integration/test_batch_faults.py

engines: ## Run the tests of other engines: gVisor, Podman
	@.ci/with-engine .ci/other-engines

bench: ## Measure Paddock against its floor
	@.ci/with-engine .ci/tool python -m benchmarks

images: ## Build every shipped image
	@.ci/with-engine .ci/tool paddock image build --all

docs: ## Write the generated parts of the documentation
	@.ci/tool python .ci/docs.py

check: lint type ## Everything that CI runs
	@.ci/tool python .ci/docs.py --check
	@$(MAKE) test

clean: ## Remove .venv, caches and built packages
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build && find . -name __pycache__ -type d -prune -exec rm -rf {} +
