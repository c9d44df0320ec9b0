# `make demo` shows the main job, `make demo-ml` that of data and models, `make test` runs the whole gate. All install what
# they need into .venv; demo-ml a second venv with MLflow below build/.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
JOBS   ?= 2

.PHONY: demo demo-ml test test-long lint types imports units check install clean docs

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "quell needs Python 3.11 or newer; set PYTHON=..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing quell and its tools into $(VENV) (once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: install
	@$(BIN)/quell demo

demo-ml: install
	@$(BIN)/python examples/demo-ml/run.py

test: install lint types imports units

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

imports: install
	$(BIN)/lint-imports

units: install
	$(BIN)/python -m pytest -n $(JOBS) -m "not long"

test-long: install
	$(BIN)/python -m pytest -n $(JOBS) -m long

check: test

docs: install
	$(BIN)/python docs/generate.py

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache
