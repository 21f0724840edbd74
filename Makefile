# make demo | test | lint | bench | test-slow | docs | install | clean
# Everything is installed into .venv; each target installs what it needs, once. More pip options: PIP_ARGS="..."

VENV := .venv
BIN := $(VENV)/bin
PIP_ARGS ?=
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $(PIP_ARGS)
STAMPS := $(VENV)/stamps
export PYTHONUNBUFFERED = 1
# tests and trainings share the cores among processes; benchmarks leave every library its own threads
demo test test-slow: export OMP_NUM_THREADS ?= 1

.PHONY: help install demo test lint bench test-slow docs clean

help:
	@sed -n '1,2s/^# //p' Makefile

install: $(STAMPS)/test $(STAMPS)/docs

demo: $(STAMPS)/scripts
	$(BIN)/python scripts/solve_ik.py robot=kuka_iiwa target.count=500
	$(BIN)/python scripts/point_aircraft.py

test: lint
	$(BIN)/python -m pytest -m "not slow" -n auto --dist loadfile

lint: $(STAMPS)/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test-slow: $(STAMPS)/test
	$(BIN)/python -m pytest -m slow --timeout 1800

bench: $(STAMPS)/bench
	$(BIN)/python -m benchmarks.run
	$(BIN)/python -m benchmarks.attitude

docs: $(STAMPS)/docs
	$(BIN)/zensical build

clean:
	rm -rf $(VENV) build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# PyBullet has wheels for Python 3.10 and 3.11; on others pip would compile it for ten minutes.
$(VENV)/bin/python:
	@for python in $(PYTHON) python3.11 python3.10 python3 python; do \
	  if $$python -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 10), (3, 11)))' 2>/dev/null; then \
	    echo "Making $(VENV) with $$($$python --version)"; \
	    exec $$python -m venv $(VENV); \
	  fi; \
	done; \
	echo "diffkin's demo and tests need Python 3.11 or 3.10, for which PyBullet has wheels; none was found." >&2; \
	echo "Install one (Debian, Ubuntu: apt install python3.11 python3.11-venv; macOS: brew install python@3.11;" >&2; \
	echo "anywhere: uv python install 3.11, pyenv install 3.11) or name it: make demo PYTHON=/path/to/python3.11" >&2; \
	exit 1

# One rule for every set of extras of pyproject.toml.
$(STAMPS)/%: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing diffkin[$*] into $(VENV) (some minutes the first time)"
	@$(PIP) -e ".[$*]"
	@mkdir -p $(STAMPS)
	@touch $@
