# Two commands for a fresh machine: `make demo` and `make test`. Needs only Python 3.11 or newer.
PYTHON ?= python3
PORT ?= 3000
SIZE ?= small
VENV := .venv
BIN := $(VENV)/bin

# Debian's package libfaketime, for `make test-at`.
FAKETIME_LIBRARY ?= $(firstword $(wildcard /usr/lib/*/faketime/libfaketimeMT.so.1))
TESTS ?= tests
# The servers of these tests have a PYTHONPATH of their own, without what sleeping needs under libfaketime.
WITH_SERVERS := tests/cli/test_schedules_command.py tests/docs tests/dagster/test_servers.py tests/dagster/test_up.py

.PHONY: chaos demo demo-clean up test test-at lint format bench lock clean

# Installed once for each state of the lock file.
$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the locked packages (a minute or two, once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(VENV)/.installed  ## a demo site, billed by Dagster
	@$(BIN)/waldur-dagster demo run

demo-clean: $(VENV)/.installed  ## remove the demo site and its history
	@$(BIN)/waldur-dagster demo clean

up: $(VENV)/.installed  ## Dagster UI and daemon on the demo site, loopback only; PORT=3001 for another port
	@$(BIN)/waldur-dagster demo up --port $(PORT)

test: lint  ## everything that has to be right before a change lands
	@$(BIN)/python -m pytest

test-at: $(VENV)/.installed  ## tests at another instant, UTC: make test-at INSTANT=2028-02-29T00:00 TESTS=tests/quotas
	@test -n "$(INSTANT)" || { echo "At which instant? make test-at INSTANT=2028-02-29T00:00"; exit 1; }
	@test -n "$(FAKETIME_LIBRARY)" || { echo "libfaketime is needed: apt-get install libfaketime"; exit 1; }
	@instant=$$(date -u -d "$(INSTANT)" +%s) && \
	FAKETIME=$$(printf %+ds $$((instant - $$(date +%s)))) FAKETIME_DONT_FAKE_MONOTONIC=1 LD_PRELOAD=$(FAKETIME_LIBRARY) \
	PYTHONPATH=tests/another_clock $(BIN)/python -m pytest $(TESTS) $(WITH_SERVERS:%=--ignore=%)

lint: $(VENV)/.installed
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache >/dev/null || $(BIN)/lint-imports --no-cache
	@$(BIN)/mypy

format: $(VENV)/.installed
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/.installed  ## figures by stage for a large site
	@failed=0; for name in billing quotas policies people freeipa pulls "pulls usage" "rancher measure" run_cost retention; do $(BIN)/python -m benchmarks.$$name || failed=1; done; exit $$failed

chaos: $(VENV)/.installed  ## kills, outages, junk and faults for every entry, docs/reliability.md; SIZE=full for all of it
	@$(BIN)/python -m tests.chaos $(SIZE)
	@$(BIN)/python -m pytest -q tests/chaos tests/test_passing_errors.py tests/invoices/test_held_rows.py tests/dagster/test_secrets.py tests/dagster/test_retries.py tests/dagster/test_servers.py

lock:  ## resolve the lower bounds of pyproject.toml anew; needs uv
	uv pip compile pyproject.toml --group dev --all-extras --universal --python-version 3.11 \
		--no-emit-index-url --no-annotate --no-header --generate-hashes --upgrade --output-file requirements.lock
	uv pip compile pyproject.toml --group image --extra kubernetes --extra help-desks --extra keycloak --extra amazon --extra azure \
		--constraint requirements.lock --python-version 3.11 \
		--no-emit-index-url --no-annotate --no-header --generate-hashes --output-file deploy/requirements.lock

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache
