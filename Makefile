# Each target makes the virtual environment it needs; PYTHON chooses the interpreter (3.10 or newer).
PYTHON ?= python3
export OMP_NUM_THREADS ?= 2

.PHONY: demo test checks compiled lint audit docs unit quick long jetpack bench deb clean

# The main job in simulation: record a flight, find the place, fly there; prints where the report is.
demo: .venv-demo/ready
	.venv-demo/bin/homing-sim denied --small --seed 1 --out out/demo

# Everything: lint beside the JetPack subset, each told when it ends, then all tests.
test: checks
	@$(PYTEST)

checks:
	@$(MAKE) --no-print-directory --jobs=2 --output-sync lint jetpack compiled

# Python keeps bytecode, and Numba machine code, where it is compiled. Here one process collects all tests and renders a
# picture: each of those of `make unit` would compile all of that beside the others.
compiled: .venv/ready
	@.venv/bin/python -m pytest -q -n 0 --durations=1 -k "frame_is_rgb_of_the_model or orthographic_is_north_up"

lint: .venv/ready
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/python -m mkdocs build --strict
	PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/bin/python .ci/audit.py constraints.txt

# Known vulnerabilities of every pinned version, before a release. It fails where no database can be reached.
audit: .venv/ready
	.venv/bin/uvx pip-audit --requirement constraints.txt --no-deps --disable-pip --vulnerability-service osv

# Brings what the pages say of the code up to date, and builds them as a site in site/.
docs: .venv/ready
	.venv/bin/python -m docs.generate
	.venv/bin/python -m mkdocs build --strict

# One process more than there are cores (tests/conftest.py), one thread each; a file's tests run in one, in their order.
PYTEST = .venv/bin/python -m pytest -n logical --maxprocesses 8 --dist loadfile --no-loadscope-reorder
unit: .venv/ready
	$(PYTEST)

quick: .venv/ready
	$(PYTEST) -m "not slow"

# What takes ten seconds and more each, and quicker tests hold as well: before a release.
long: .venv/ready
	$(PYTEST) -m long

# With the versions that JetPack 6 carries: what flies and calls OpenCV, odometry by simulated pictures among it, and what
# keeps and compares arrays whose types NumPy 1 and 2 promote differently. Not every call: `coverage` tells which. The list
# names files and tests: a line that finds none is an error.
jetpack: .venv-jetpack/ready
	.venv-jetpack/bin/python -m pytest -q -m "not slow" @tests/jetpack.txt

# All tables take an hour or so on two cores; make bench BENCH="search fix_latency" prints some.
BENCH ?=
bench: .venv/ready
	.venv/bin/python -m tests.bench $(BENCH)

# A Debian package of the daemon for computers like this one, in dist/. EXTRA= on a Jetson, which brings its own OpenCV and
# ONNX Runtime.
EXTRA ?= cpu
deb: .venv/ready
	.venv/bin/python deploy/deb/build.py --out dist --extra '$(EXTRA)'

ENVIRONMENT = $(PYTHON) .ci/environment.py $(@D)

.venv-demo/ready: pyproject.toml constraints.txt
	$(ENVIRONMENT) constraints.txt -e '.[cpu,sim]'
	touch $@

.venv/ready: pyproject.toml constraints.txt
	$(ENVIRONMENT) constraints.txt -e '.[cpu,export,dev]'
	touch $@

.venv-jetpack/ready: pyproject.toml constraints-jetpack.txt
	$(ENVIRONMENT) constraints-jetpack.txt -e '.[cpu,sim]' pytest pytest-timeout hypothesis
	touch $@

clean:
	rm -rf .venv .venv-demo .venv-jetpack out site dist
