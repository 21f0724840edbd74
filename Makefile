# make demo | demo-gui | demo-film | demo-web | notebook | test | lint | bench | test-slow | test-lowest | fuzz | docs | install | clean
# Everything is installed into .venv; each target installs what it needs, once. More pip options: PIP_ARGS="..."

VENV := .venv
BIN := $(VENV)/bin
PIP_ARGS ?=
JUPYTER_ARGS ?=
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $(PIP_ARGS)
STAMPS := $(VENV)/stamps
export PYTHONUNBUFFERED = 1
# tests and trainings share the cores among processes; benchmarks leave every library its own threads
demo demo-gui demo-film demo-web test test-slow test-lowest fuzz: export OMP_NUM_THREADS ?= 1
# tests start hundreds of processes: each reads bytecode where the last has written it
test test-slow test-lowest: export PYTHONDONTWRITEBYTECODE =

.PHONY: help install demo demo-gui demo-film demo-web notebook test lint bench test-slow test-lowest fuzz docs clean

help:
	@sed -n '1,2s/^# //p' Makefile

install: $(STAMPS)/test $(STAMPS)/docs
	$(BIN)/python -m diffkin compile

demo: $(STAMPS)/scripts
	$(BIN)/python -m diffkin compile
	$(BIN)/python scripts/solve_ik.py robot=kuka_iiwa target.count=500
	$(BIN)/python scripts/point_aircraft.py

# The course in JupyterLab: make notebook LANGUAGE=zh for Chinese; JUPYTER_ARGS="--no-browser --port 9000" and the like
LANGUAGE := en
notebook: $(STAMPS)/notebook
	@test -d notebooks/$(LANGUAGE) || { echo "There is no notebooks/$(LANGUAGE): LANGUAGE is en or zh."; exit 1; }
	@echo "Opening the lessons in notebooks/$(LANGUAGE) in JupyterLab; Ctrl-C here ends it."
	$(BIN)/jupyter-lab --ServerApp.root_dir=notebooks --LabApp.default_url=/lab/tree/$(LANGUAGE)/01_backward_seeds.ipynb \
		$(if $(filter 0,$(shell id -u)),--allow-root) $(JUPYTER_ARGS)

demo-gui: $(STAMPS)/scripts $(STAMPS)/film
	$(BIN)/python scripts/demo_arm.py

demo-film: $(STAMPS)/scripts $(STAMPS)/film
	$(BIN)/python scripts/demo_arm.py viewer=film record=film.mp4

demo-web: $(STAMPS)/scripts $(STAMPS)/viewer
	$(BIN)/python -m diffkin compile
	$(BIN)/python scripts/demo_arm.py viewer=browser

test: lint
	$(BIN)/python -m pytest -m "not slow" -n auto --dist loadfile

lint: $(STAMPS)/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test-slow: $(STAMPS)/test
	$(BIN)/python -m pytest -m slow --timeout 1800

# The library without its scripts, at the lowest versions of pyproject.toml and without most of its extras.
LOWEST := .venv-lowest
LOWEST_TOOLS := pytest pytest-timeout pytest-xdist hypothesis scipy scikit-learn mujoco roma mpmath
test-lowest:
	@test -x $(LOWEST)/bin/python || sh scripts/make_venv.sh $(LOWEST) $(PYTHON)
	@$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints-lowest.txt $(PIP_ARGS) -e . $(LOWEST_TOOLS)
	NUMBA_CACHE_DIR=$(CURDIR)/$(LOWEST)/kernels $(LOWEST)/bin/python -m pytest -m "not slow" -n auto --dist loadfile tests \
		--ignore=tests/scripts --ignore=tests/examples --ignore=tests/benchmarks --ignore=tests/learning --ignore=tests/test_readme.py

# Damaged robot descriptions against Pinocchio and MuJoCo; SEED=1 tries the same ones again.
fuzz: $(STAMPS)/test
	$(BIN)/python -m tests.robot.fuzz --urdf 10000 --mjcf 5000 $(if $(SEED),--seed $(SEED))

bench: $(STAMPS)/bench
	$(BIN)/python -m benchmarks.run
	$(BIN)/python -m benchmarks.attitude

docs: $(STAMPS)/docs
	$(BIN)/python docs/generate.py
	$(BIN)/zensical build

clean:
	rm -rf $(VENV) $(LOWEST) .uv build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A Python that PyBullet has wheels for, or one made fit for it; every step says what it does.
$(VENV)/bin/python:
	@sh scripts/make_venv.sh $(VENV) $(PYTHON)

# One rule for every set of extras of pyproject.toml.
$(STAMPS)/%: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing diffkin[$*] into $(VENV) (some minutes the first time)"
	@$(PIP) -e ".[$*]"
	@mkdir -p $(STAMPS)
	@touch $@
