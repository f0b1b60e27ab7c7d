# Every command builds .venv from the lock first; none needs anything installed by hand
# but Python 3.11 or newer (and what a test then names when it is skipped).
.DEFAULT_GOAL := help
PYTHON ?= python3
UV := .venv/bin/uv
RUN := .venv/bin/python -m
export UV_PYTHON_DOWNLOADS := never
# The processes that run tests would compile all of them, each time.
export PYTHONDONTWRITEBYTECODE :=

# Most tests wait most of their time, so more of them run at once than there are cores.
WORKERS ?= 5

# These hardly wait, and each process has to read all of them first.
CHECK_WORKERS ?= $(shell echo $$(($$(nproc) + 1)))

# Where there are tests that want to be alone: to read the others takes longer than some of them.
PLATFORM_TESTS := tests/accuracy tests/contract tests/faults

CLUSTER := cd tests && ../.venv/bin/python -m cluster

.PHONY: help demo check checks quick-tests test test-full bench curves screenshots s3-server images cluster-up cluster-status cluster-down lint types collect format lock clean

help:  ## Show the commands
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' Makefile | expand -t 16

.venv/.installed: requirements.lock pyproject.toml
	@echo "building .venv from requirements.lock; about a minute the first time"
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet 'uv>=0.5'
	$(UV) pip install --quiet --require-hashes -r requirements.lock
	$(UV) pip install --quiet --no-deps --editable .
	@cd tests && ../$(RUN) bytecode
	touch $@

.venv/.compiled: .venv/.installed $(shell find src -name '*.py')
	@$(RUN) compileall -q src
	@touch $@

demo: .venv/.compiled  ## Measure a web server with a load generator, both pure Python
	.venv/bin/windtunnel run flows/client_server.toml --report

check: .venv/.compiled  ## Run the checks, the unit tests, and the contracts without Docker; under a minute, without the long ones
	@$(MAKE) --no-print-directory --jobs 2 --keep-going quick-tests checks || \
	  { echo 'make check failed: what did is told above, before each line with "***"' >&2; exit 1; }

checks: lint types

# Without the copies of the whole package that a backend and a strategy are added to.
quick-tests: .venv/.compiled
	HYPOTHESIS_PROFILE=check $(RUN) pytest -n $(CHECK_WORKERS) -m "not platform and not alone and not full and not long" \
	  tests/unit tests/golden tests/contract --ignore tests/contract/test_additions.py

test: .venv/.compiled  ## Run the checks and the tests
	@$(MAKE) --no-print-directory --jobs 2 checks
	$(RUN) pytest -n $(WORKERS) -m "not alone and not full" --durations 10
	$(RUN) pytest -m "alone and not full" $(PLATFORM_TESTS)

test-full: .venv/.compiled  ## Run everything, the whole fault matrices too
	@$(MAKE) --no-print-directory --jobs 2 checks
	HYPOTHESIS_PROFILE=full $(RUN) pytest -n $(WORKERS) -m "not alone"
	$(RUN) pytest -m alone $(PLATFORM_TESTS)

bench: .venv/.compiled  ## Compare with the same work done by hand; takes a few minutes
	cd tests && ../.venv/bin/python -m bench $(ARGS)

curves: .venv/.compiled  ## Renew the tables and the picture of docs/duels.md, by simulation; two minutes
	cd tests && ../.venv/bin/python -m simulation

screenshots: .venv/.compiled  ## Renew the docs' pictures of Prefect's UI; needs Chromium
	cd tests && ../.venv/bin/python screenshots.py

s3-server: .venv/.compiled  ## Build the S3 server that tests use, from Go modules; once, some minutes
	@cd tests && ../.venv/bin/python -m support.s3_lab

images: .venv/.compiled  ## Build the images of containers/; into the test cluster too, if it is up
	@$(CLUSTER) images

cluster-up: .venv/.compiled  ## Start a Kubernetes cluster on this machine, with Argo (NODES=2); see tests/cluster
	@$(CLUSTER) up $(if $(NODES),--nodes $(NODES))

cluster-status: .venv/.compiled  ## Show what the test cluster has and how it is
	@$(CLUSTER) status

cluster-down: .venv/.compiled  ## Remove the test cluster
	@$(CLUSTER) down

lint: .venv/.compiled
	$(RUN) ruff check
	$(RUN) ruff format --check
	.venv/bin/lint-imports

types: .venv/.compiled
	$(RUN) mypy

collect: .venv/.compiled
	$(RUN) pytest --collect-only --quiet

format: .venv/.compiled  ## Format the code
	$(RUN) ruff format
	$(RUN) ruff check --fix-only

LOCK := $(UV) pip compile --quiet --universal --generate-hashes --no-header --no-annotate --upgrade

lock: .venv/.installed  ## Renew requirements.lock from pyproject.toml, and that of the MPI image
	$(LOCK) pyproject.toml --all-extras --group dev -o requirements.lock
	$(LOCK) containers/mpi/requirements.in --python-version 3.11 -o containers/mpi/requirements.lock

clean:  ## Remove what was built here
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
