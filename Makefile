# lagpdb: `make help` lists everything. Needs python3.11, python3.11-venv, make and git, nothing else.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup setup-test demo test lint types format schema lock up clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*  ## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; do \
		printf '  make %-8s %s\n' "$$name" "$$text"; done

# $(call install,LOCK,LOCKS IT COVERS): .venv from a lock file, with hashes; at once when the lock is the installed one.
define install
@lock=requirements/$(1).txt; sum=$$(sha256sum "$$lock" | cut -c1-64); \
if [ -x $(BIN)/python ] && [ "$$(cat $(VENV)/installed-$(1) 2>/dev/null)" = "$$sum" ]; then exit 0; fi; \
$(PYTHON) -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	echo "lagpdb needs Python 3.11 with its venv module, and '$(PYTHON)' is not that." >&2; \
	echo "On Debian 12:  apt-get install python3.11 python3.11-venv   (or name another: make PYTHON=/path/to/python3.11)" >&2; \
	exit 1; }; \
echo "Installing the packages of $$lock into $(VENV)/ …"; \
$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) || exit 1; \
rm -f $(foreach name,$(2),$(VENV)/installed-$(name)); \
$(BIN)/python -m pip install --quiet --require-hashes --only-binary=:all: -r "$$lock" || exit 1; \
for name in $(2); do sha256sum "requirements/$$name.txt" | cut -c1-64 > "$(VENV)/installed-$$name"; done
endef

setup:  ## .venv with what the site needs
	$(call install,base,base)

setup-test:
	$(call install,test,base test)

demo: setup  ## the site with the reference campaign, on http://127.0.0.1:8000 (LAGPDB_PORT)
	@exec $(BIN)/python manage.py serve --demo --port "$${LAGPDB_PORT:-8000}"

test: setup-test  ## the whole gate; ONLY=unit,lint picks stages, KEEP_GOING=1, ARGS='-k word' goes to pytest
	@exec $(BIN)/python tests/gate.py $(if $(ONLY),--only "$(ONLY)") $(if $(KEEP_GOING),--keep-going) -- $(ARGS)

lint: setup-test  ## ruff, import contracts, Docker files
	@exec $(BIN)/python tests/gate.py --only lint,format,imports,docker --keep-going

types: setup-test  ## mypy
	@exec $(BIN)/python tests/gate.py --only types

format: setup-test  ## rewrite the code in its one format
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

schema: setup-test  ## write tests/api_schema.yaml anew after a meant change of the API
	@data=$$(mktemp -d) && trap 'rm -rf "$$data"' EXIT && \
	LAGPDB_DATA_DIR="$$data" $(BIN)/python manage.py spectacular --validate --fail-on-warn --file tests/api_schema.yaml

lock:  ## lock files anew from pyproject.toml; ARGS='--upgrade' or ARGS='--upgrade-package NAME' moves versions
	@[ -x .venv-lock/bin/pip-compile ] || { $(PYTHON) -m venv .venv-lock && \
		.venv-lock/bin/python -m pip install --quiet pip-tools==7.6.2; }
	@.venv-lock/bin/python requirements/compile.py $(ARGS)

up:  ## web, worker, beat, PostgreSQL and Redis in Docker
	@docker compose version >/dev/null 2>&1 || { \
		echo "'make up' needs Docker with its compose plugin, and neither answers here. 'make demo' needs neither." >&2; \
		exit 1; }
	@sh docker/secrets.sh
	@exec docker compose -f docker/compose.yaml up --build

clean:  ## remove .venv and caches; your data in var/ stays
	@rm -rf .venv .venv-servers .venv-lock .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
