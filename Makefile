# Each target makes the virtual environment it needs; PYTHON chooses the interpreter (3.10 or newer).
PYTHON ?= python3
PIP_FLAGS := --quiet --disable-pip-version-check
export OMP_NUM_THREADS ?= 2

.PHONY: demo test lint docs unit jetpack bench clean

# The main job in simulation: record a flight, find the place, fly there; prints where the report is.
demo: .venv-demo/ready
	.venv-demo/bin/homing-sim return --seed 1 --out out/demo

test: lint unit jetpack

lint: .venv/ready
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/python -m mkdocs build --strict

# Brings what the pages say of the code up to date, and builds them as a site in site/.
docs: .venv/ready
	.venv/bin/python -m docs.generate
	.venv/bin/python -m mkdocs build --strict

unit: .venv/ready
	.venv/bin/python -m pytest

# What flies, with the OpenCV and NumPy that JetPack 6 carries; what touches neither has run in `unit`.
jetpack: .venv-jetpack/ready
	.venv-jetpack/bin/python -m pytest tests/runtime --ignore tests/runtime/vehicle --ignore tests/runtime/guidance \
	    --ignore tests/runtime/history/test_damage.py --ignore tests/runtime/cli/test_bad_input.py

# All tables take an hour or so on two cores; make bench BENCH="search fix_latency" prints some.
BENCH ?=
bench: .venv/ready
	.venv/bin/python -m tests.bench $(BENCH)

.venv-demo/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv --clear .venv-demo
	.venv-demo/bin/pip install $(PIP_FLAGS) -c constraints.txt -e '.[cpu,sim]'
	touch $@

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv --clear .venv
	.venv/bin/pip install $(PIP_FLAGS) -c constraints.txt -e '.[cpu,export,dev]'
	touch $@

.venv-jetpack/ready: pyproject.toml constraints-jetpack.txt
	$(PYTHON) -m venv --clear .venv-jetpack
	.venv-jetpack/bin/pip install $(PIP_FLAGS) -c constraints-jetpack.txt -e '.[cpu,geo]' pytest hypothesis
	touch $@

clean:
	rm -rf .venv .venv-demo .venv-jetpack out site
