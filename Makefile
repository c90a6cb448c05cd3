# Each target sets up what it needs and repeats no set-up that is done.
#
#   EXTRAS=train,dev,sim   extras of pyproject.toml to install (default: train,dev,sim,pio,zig)
#   PIP_ARGS=...           more arguments for pip: an index, a proxy
#   PYTHON=python3.12      the interpreter that .venv is made with (default: python3, 3.11 or newer)
#   JOBS=4                 parallel test processes (default: one per core)
#   ARGS=...               more arguments for pytest, the demo, the benchmarks or fuzz
#   MINUTES=5              how long fuzz runs

EXTRAS ?= train,dev,sim,pio,zig
PYTHON ?= python3
JOBS ?= auto
MINUTES ?= 5
VENV := .venv
PY := $(VENV)/bin/python
comma := ,
INSTALLED := $(VENV)/.installed-$(subst $(comma),-,$(EXTRAS))
CPU_INDEX := https://download.pytorch.org/whl/cpu

# The test processes share the cores; threads of torch and BLAS inside each of them would only fight.
PYTEST := OMP_NUM_THREADS=1 $(PY) -m pytest
C_FILES = find firmware -name .pio -prune -o -name '*.[ch]' -print0

.PHONY: help setup system demo test test-fast check format zoo-table bench fuzz golden clean
.DEFAULT_GOAL := help

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@sed -n '/^#   [A-Z]/s/^#   /     /p' $(MAKEFILE_LIST)

setup: system $(INSTALLED)  ## compilers, emulator, .venv and Python packages, where missing

demo: setup  ## train a small network, compile it, run it on the emulator
	$(PY) examples/digits/run.py $(ARGS)

test: setup  ## all tests
	$(PYTEST) -n $(JOBS) $(ARGS)

test-fast: setup  ## the tests that take seconds; stops at the first failure
	$(PYTEST) -n $(JOBS) -x -m "not slow" $(ARGS)

check: setup  ## linters, types, formatting and spelling; changes nothing
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy --strict
	$(C_FILES) | xargs -0 -r $(PY) $(VENV)/bin/clang-format --dry-run --Werror
	$(PY) -m codespell_lib

format: setup  ## format Python and C in place, and apply the linter's safe fixes
	$(PY) -m ruff check --fix --exit-zero
	$(PY) -m ruff format
	$(C_FILES) | xargs -0 -r $(PY) $(VENV)/bin/clang-format -i

zoo-table: setup  ## what the trained networks in examples/ reach, from their archives; a few minutes
	$(PY) examples/zoo.py $(ARGS)

bench: setup  ## networks and layers in the simulator, to build/bench.json; ARGS="--compare OLD.json": what moved
	OMP_NUM_THREADS=1 $(PY) bench/run.py $(ARGS)

fuzz: setup  ## random layers through every kernel, on this machine and the emulated cores, for MINUTES=5
	OMP_NUM_THREADS=1 $(PY) tests/fuzz.py --minutes $(MINUTES) $(ARGS)

golden: setup  ## rewrite tests/golden from what the compiler emits now; read the diff before you commit
	$(PYTEST) -k golden --update-golden $(ARGS)

clean:  ## remove build results and caches; .venv stays
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name $(VENV) -prune -o \( -name __pycache__ -o -name .pio \) -type d -prune -exec rm -rf {} +

# ---- set-up ----

system:
	@PYTHON=$(PYTHON) .ci/system-packages

$(VENV)/bin/pip: | system
	$(PYTHON) -m venv $(VENV)

# PyPI has no CPU build of torch for Linux: where the configured indexes offer none, ask PyTorch's own for it.
$(INSTALLED): pyproject.toml constraints.txt | $(VENV)/bin/pip
ifneq ($(findstring train,$(EXTRAS)),)
	@if [ "$$(uname)" = Linux ] && ! $(PY) -c 'import torch' 2>/dev/null \
	  && ! $(PY) -m pip index versions torch $(PIP_ARGS) 2>/dev/null | grep -qF '+cpu'; then \
	    set -x; $(PY) -m pip install -q --no-deps -c constraints.txt --extra-index-url $(CPU_INDEX) $(PIP_ARGS) torch; fi
endif
	@echo "installing Python packages into $(VENV): a minute or two"
	$(PY) -m pip install -q -c constraints.txt $(PIP_ARGS) -e '.[$(EXTRAS)]'
	@touch $@
