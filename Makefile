# Python 3.11+ and make are all it needs; everything else comes into .venv and .run of this folder.

PYTHON ?= python3
ENV := .venv/bin
EMBEDDED := $(ENV)/python -m paymentsite.embedded

.DEFAULT_GOAL := help
.PHONY: help run test demo chaos-crash chaos-storms bench-api bench-ledger up down status psql shell reset logs lint format types contracts structure check lock runtime development

help: ## this list
	@grep -hE '^[a-z -]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z -]+):.*## /\1|/' | while IFS='|' read -r name text; do printf '  make %-23s %s\n' "$$name" "$$text"; done

run: runtime ## the whole system: database, broker, site, workers, sandbox PSP; Ctrl-C stops it
	@$(EMBEDDED) run

test: development ## all tests on their own database; one selection: make test ARGS="tests/ledger -x"
	@$(EMBEDDED) test $(ARGS)

demo: runtime ## a story told as tables, then everything is stopped again
	@$(EMBEDDED) demo

chaos-crash: development ## kill every flow at every place, and again while it recovers; ARGS="--help"
	@$(ENV)/python -m tests.chaos $(ARGS)

chaos-storms: development ## broker, database and processes die under load; CHAOS_STORMS=long for many rounds
	@$(EMBEDDED) test -q -s tests/chaos/storms.py $(ARGS)

bench-api bench-ledger: bench-%: development ## a benchmark beside its baseline in the same run; writes .run/bench
	@$(ENV)/python -m tests.benchmarks.run $* $(ARGS)

up: runtime ## PostgreSQL and Valkey, in the background; writes .run/env
	@$(EMBEDDED) up

down: runtime ## stop PostgreSQL and Valkey; the data stay
	@$(EMBEDDED) down

status: runtime ## what runs, and where
	@$(EMBEDDED) status

psql: runtime ## SQL prompt on the database
	@$(EMBEDDED) psql

shell: runtime ## Python prompt with the models
	@$(ENV)/python manage.py shell

reset: runtime ## throw away the local data and secrets of this folder
	@$(EMBEDDED) reset

logs: runtime ## follow all logs
	@$(EMBEDDED) logs

lint: development ## ruff: rules and format
	@$(ENV)/ruff check .
	@$(ENV)/ruff format --check .

format: development ## ruff: put the code in format
	@$(ENV)/ruff check --fix-only --quiet .
	@$(ENV)/ruff format .

types: development ## mypy, strict
	@$(ENV)/mypy .

contracts: development ## the imports point down the stack
	@$(ENV)/lint-imports

structure: development ## what a linter cannot say: relations point down, no arithmetic beside money.py
	@$(EMBEDDED) test -q tests/test_structure.py

check: lint types contracts structure ## lint, types, contracts, structure

lock: development ## compile requirements*.in to requirements*.txt, with hashes
	@for name in -bootstrap "" -dev; do \
		UV_CUSTOM_COMPILE_COMMAND="make lock" $(ENV)/uv pip compile --quiet --universal --generate-hashes \
			--python-version 3.11 $(UPGRADE) requirements$$name.in -o requirements$$name.txt || exit 1; \
	done

runtime development:
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or newer is needed, and there is no $(PYTHON) on the path."; exit 1; }
	@$(PYTHON) scripts/bootstrap.py $@
