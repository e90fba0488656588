# Everything is done inside .venv, from pinned dependencies; nothing is installed outside this directory.
# `make demo` and `make test` set it up themselves; a second run finds the stamps and starts at once.

PYTHON ?= $(shell for python in python3.11 python3 python3.12 python3.13; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$python; break; }; done)
UV ?= uv
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo test pictures soak test-fast check format reference bench docs lock clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

setup: $(VENV)/.footfall  ## Make .venv with pinned dependencies and footfall in it

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Footfall needs Python 3.11 or newer; none is on PATH (or say which: make setup PYTHON=/path/to/python3.11)" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || { echo "$(PYTHON) cannot make a virtual environment; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

# --no-deps: the file names everything. Otherwise pip before 23.3 asks for the newest coverage[toml], whatever is pinned.
$(VENV)/.requirements: requirements-dev.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.txt
	@touch $@

$(VENV)/.footfall: pyproject.toml $(VENV)/.requirements
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup  ## A raffle on three nodes: a million visits, and the winner
	@$(BIN)/footfall demo

# The core is all that one must trust for the count: every branch of it is reached by its own tests, without a server.
# The simulations and the fuzzing, which need none either, and the other unit tests run beside them. FOOTFALL_FUZZ says
# how many inputs. Some of the unit tests wait, so two run at a time; those of real processes wait more: five.
test: setup  ## Every test: unit, property, simulation, and real servers
	@trap 'kill $$simulation $$unit 2>/dev/null' INT TERM; \
	$(BIN)/pytest tests/simulation tests/fuzz >$(VENV)/simulation.log 2>&1 & simulation=$$!; \
	$(BIN)/pytest tests/unit --ignore tests/unit/core -n 2 --dist loadfile >$(VENV)/unit.log 2>&1 & unit=$$!; \
	$(BIN)/pytest tests/unit/core --cov=footfall.core --cov-branch --cov-report=term-missing:skip-covered --cov-fail-under=100; failed=$$?; \
	wait $$unit || failed=1; cat $(VENV)/unit.log; wait $$simulation || failed=1; cat $(VENV)/simulation.log; exit $$failed
	$(BIN)/pytest tests/integration tests/faults tests/browser -n 5 --dist loadfile

pictures: setup  ## The documentation's pictures of the pages, taken of real nodes with chromium
	$(BIN)/pytest -q tests/browser/pictures.py tests/browser/pictures_embedding.py

# SOAK_S=300 SOAK_RATE=20000 SOAK_SEED=… SOAK_TOPOLOGY=replicated|sharded make soak
soak: setup  ## Minutes of traffic on three servers and three nodes, with a random fault every five seconds
	@$(BIN)/python tests/faults/soak.py
	@if [ "$$(id -u)" = 0 ] && command -v ip nft >/dev/null; then $(BIN)/pytest -q -s tests/faults/namespaces.py; \
	else echo "machines of their own were not cut off: that needs root, iproute2 and nft"; fi

test-fast: setup  ## Unit and property tests only
	$(BIN)/pytest tests/unit

check: setup  ## Format, lint, types, and the directions of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup  ## Format, and fix what the linter can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

reference: setup  ## Write docs/configuration.md and docs/cli.md anew from the code
	@$(BIN)/python tools/reference.py

bench: setup  ## One table: Footfall beside Redis and NATS, in under three minutes
	@$(BIN)/python -m benchmarks.run

docs: setup  ## The documentation as a site
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "open site/index.html"

# Hashes of every platform's files, so that the same pins install everywhere; no index's address, so that any index serves.
LOCK = UV_CUSTOM_COMPILE_COMMAND="make lock" $(UV) pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-build --quiet

lock:  ## Pin the dependencies anew (needs uv; add LOCK_FLAGS=--upgrade to move them)
	$(LOCK) $(LOCK_FLAGS) --extra server --output-file requirements.txt
	$(LOCK) $(LOCK_FLAGS) --extra server --extra dev --constraint requirements.txt --output-file requirements-dev.txt

clean:  ## Remove .venv and caches (data directories are left alone)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .schemathesis .coverage dist site
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
