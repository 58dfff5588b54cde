# make solve | test | check | bench | score | clean; the first of them builds .venv with Python 3.11 or newer.

VENV ?= .venv
SPEC ?= examples/chat_70b.yaml
MEASURED ?=
JOBS ?= 2

BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
SNAPSHOT_IS_FRESH := \
	from catalog import compile, read; \
	fresh = compile.compile_snapshot(read.DATA_DIR) == (read.DATA_DIR / read.SNAPSHOT_NAME).read_bytes(); \
	raise SystemExit(None if fresh else "the compiled catalog is stale; write it anew: python -m catalog.compile")

.PHONY: solve test check bench score clean

solve: $(INSTALLED)
	@$(BIN)/roofplan solve $(SPEC)

test: check
	@$(BIN)/pytest -n $(JOBS) --dist worksteal

check: $(INSTALLED)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -c '$(SNAPSHOT_IS_FRESH)'

# Ten times the property examples of the suite, then what is timed.
bench: $(INSTALLED)
	@ROOFPLAN_PROFILE=bench $(BIN)/pytest -n $(JOBS) --dist worksteal tests/property
	@$(BIN)/pytest -m bench -s

# The measured files are not ours to ship; without MEASURED the score says what it skipped, with it docs/accuracy.md is
# written anew.
score: $(INSTALLED)
	@$(BIN)/python -m optimizer.calibration.score $(MEASURED) $(if $(MEASURED),--write docs/accuracy.md)

clean:
	@rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .benchmarks
	@find catalog optimizer requirements_specs tests -type d -name __pycache__ -prune -exec rm -rf {} +

# PYTHON=/path/to/python picks the interpreter; otherwise the first of these that runs and is new enough.
$(INSTALLED): pyproject.toml
	@for python in $${PYTHON:-python3.11 python3.12 python3.13 python3}; do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		echo "building $(VENV) with $$("$$python" --version)" >&2; \
		"$$python" -m venv $(VENV) && \
		$(BIN)/python -m pip install -qq --disable-pip-version-check -e '.[dev]' && \
		$(BIN)/python -m compileall -q catalog optimizer requirements_specs && \
		touch $@ && exit 0; \
		exit 1; \
	done; \
	echo "Roofplan needs Python 3.11 or newer with venv: make PYTHON=/path/to/python" >&2; exit 1
