# Needs make and Python 3.11+; everything else is fetched into .venv on first use.

SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# Hundreds of tests start Python; without bytecode each would compile the ledger first.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python
PIP := $(RUN) -m pip --quiet --disable-pip-version-check --no-input
# Workers of pytest: on two cores the third works while others wait for a server or a killed process,
# and the whole run takes an eighth less.
WORKERS ?= 3
PYTEST_ARGS ?=
TEST := $(RUN) -m pytest -q -n $(WORKERS) --dist worksteal $(PYTEST_ARGS)

.PHONY: help demo test bench soak lint clean

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1|/p' Makefile | awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'

demo: $(VENV)/.core ## Import a recorded session into demo.db and show it
	@$(BIN)/ledger import examples/data/support_session.jsonl --url sqlite:///demo.db --show

# With a server to be had, a skipped PostgreSQL test is a failure (exit code 3: none can be had).
test: lint ## Check style, types and arrows, then run every test, on PostgreSQL too
	@$(RUN) -m tests.support.postgres --ensure; \
	case $$? in \
	0) LEDGER_REQUIRE_POSTGRES=1 $(RUN) -m tests.support.postgres -- $(TEST) ;; \
	3) echo "Testing WITHOUT PostgreSQL: its promises stay unchecked." >&2; $(TEST) ;; \
	*) exit 1 ;; \
	esac

bench: $(VENV)/.dev ## Measure, on a PostgreSQL that flushes every commit
	@$(RUN) -m tests.support.postgres --ensure
	@$(RUN) -m tests.support.postgres --durable -- \
		$(RUN) -m pytest -m bench --timeout=0 tests/bench $(PYTEST_ARGS)

soak: $(VENV)/.dev ## Run the tests that take minutes
	@$(RUN) -m tests.support.postgres --ensure
	@LEDGER_REQUIRE_POSTGRES=1 $(RUN) -m tests.support.postgres -- \
		$(RUN) -m pytest -m soak --timeout=0 $(PYTEST_ARGS)

lint: $(VENV)/.dev ## Check style, types and the arrows between packages
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check . || { echo "run: $(BIN)/ruff format ." >&2; exit 1; }
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-cache >/dev/null || $(BIN)/lint-imports --no-cache

clean: ## Remove .venv, caches, build results and the demo's database
	@rm -rf $(VENV) build dist .benchmarks .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@rm -f demo.db demo.db-wal demo.db-shm
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps: pip runs again only when pyproject.toml changed. Editable, so that edits need no reinstall.
$(VENV)/.core: pyproject.toml | $(RUN)
	@echo "Installing agent-session-ledger into $(VENV) ..."
	@$(PIP) install -e .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(RUN)
	@echo "Installing agent-session-ledger[postgres,dev] into $(VENV) ..."
	@$(PIP) install -e ".[postgres,dev]"
	@touch $@ $(VENV)/.core

# Debian ships Python without ensurepip; a half-made .venv would be taken for a whole one, hence the rm.
$(RUN):
	@set -eu; \
	python=; \
	for candidate in python3.14 python3.13 python3.12 python3.11 python3; do \
		if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			python=$$candidate; break; \
		fi; \
	done; \
	if [ -z "$$python" ]; then \
		echo "No Python 3.11 or newer found on PATH. Install one (Debian 12+: apt install python3)." >&2; \
		exit 1; \
	fi; \
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
		package=$$("$$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
		if [ "$$(id -u)" = 0 ]; then sudo=; \
		elif sudo -n true 2>/dev/null; then sudo=sudo; \
		else sudo=no; fi; \
		if [ "$$sudo" = no ] || ! command -v apt-get >/dev/null; then \
			echo "$$python cannot create virtual environments. Install $$package (as root: apt-get install $$package)." >&2; \
			exit 1; \
		fi; \
		echo "Installing $$package ..."; \
		$$sudo apt-get update -qq >/dev/null 2>&1 || true; \
		said=$$($$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
			--no-install-recommends "$$package" 2>&1) || { echo "$$said" >&2; exit 1; }; \
	fi; \
	echo "Creating $(VENV) with $$("$$python" --version) ..."; \
	rm -rf $(VENV); \
	"$$python" -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
