# Everything that a fresh clone needs is set up by the targets themselves.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
# The codec is rebuilt, and the packages are installed again, when one of these changes.
BUILD_INPUTS := pyproject.toml $(wildcard blox_store/codec/*.?pp) blox_store/codec/CMakeLists.txt \
	$(wildcard blox*/__init__.py blox*/*/__init__.py blox*/*/*/__init__.py)
# A failure in a pipe is a failure, not a half-made environment.
SHELL := bash
.SHELLFLAGS := -o pipefail -ec
# Where Python is told to keep no compiled modules, each of the hundreds of processes of the tests compiles ours.
export PYTHONDONTWRITEBYTECODE :=
DEMO_DIR ?= demo
DEMO_FLAGS ?=
# Tests wait for leases and for servers: on two cores three at a time are quicker than two, and than four, each of which imports torch.
TEST_PROCESSES ?= 3
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist worksteal --durations 10
SUBMAKE = make --no-print-directory
FUZZ_SECONDS ?= 600
BLOX_COMMIT ?= $(shell git describe --always --dirty --abbrev=40 --exclude="*" 2>/dev/null || echo unknown)
BUILD_TOOLS := "scikit-build-core>=0.11" "pybind11>=3.0" cmake ninja

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow test-all test-containers servers programs check fuzz env node image screenshots format clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-15s %s\n", $$1, $$2}'

setup: $(VENV)/.installed ## Make the virtual environment, install dependencies, build the C++ codec

demo: setup ## Train 8 small models on handwritten digits, release them, query the release
	@echo "== make demo: blox demo --dir $(DEMO_DIR) $(DEMO_FLAGS)"
	$(BIN)/blox demo --dir $(DEMO_DIR) $(DEMO_FLAGS)

# `make -n` runs every line that names $(MAKE), and would run the tests; hence SUBMAKE.
test: ## Run every check and all tests but the long ones, in minutes; needs redis-server and PostgreSQL
	@.ci/stages "setup=$(SUBMAKE) setup" "checks=$(SUBMAKE) -j2 check servers" 'tests=$(PYTEST) -m "not slow"'

test-slow: ## Run the long tests alone; needs Prometheus and libfaketime besides
	@.ci/stages "setup=$(SUBMAKE) setup servers programs" 'long tests=$(PYTEST) -m slow'

test-all: ## Run every check and every test
	@.ci/stages "short=$(SUBMAKE) test" "long=$(SUBMAKE) test-slow"

test-containers: ## Build the image and test the services in it; needs a Docker engine, and 25 GB of disk
	@.ci/need engine
	@$(MAKE) --no-print-directory setup
	@echo "== make test-containers: pytest"
	$(BIN)/python -m pytest tests/containers --timeout 1500 -v -p no:randomly

servers: # What is missing of Redis, PostgreSQL and openssl
	@.ci/need servers

programs: # What is missing of what long tests need besides
	@.ci/need slow

check: setup ## Lint, formatting, types and the dependencies between packages
	@echo "== make check: ruff, mypy, import-linter"
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## Format the code
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

# Python-free: on a bare node there is Docker alone.
env: ## Make .env, with new passwords, for `docker compose`; HEAD=ADDRESS of the head on the nodes' network
	@HEAD="$(HEAD)" containers/make-env

node: ## Make the head's .env, copied into this checkout, that of a further node
	@containers/make-node

image: ## Build the image of all services, with the commit that it is made of
	BLOX_COMMIT="$(BLOX_COMMIT)" docker compose build

# Python-free: the codec and its fuzz target, under the address and undefined-behaviour sanitizers.
fuzz: ## Fuzz the codec for FUZZ_SECONDS (600) and keep what was found in build/fuzz
	@.ci/need fuzz
	@mkdir -p build/fuzz/corpus
	@echo "== make fuzz: $(FUZZ_SECONDS) s of libFuzzer"
	clang++ -std=c++17 -g -O2 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
		-Iblox_store/codec -o build/fuzz/codec tests/fuzz/codec.cpp \
		$(filter-out %/bindings.cpp,$(wildcard blox_store/codec/*.cpp))
	build/fuzz/codec -max_total_time=$(FUZZ_SECONDS) -max_len=1024 -artifact_prefix=build/fuzz/ \
		-print_final_stats=1 build/fuzz/corpus tests/assets/fuzz

screenshots: setup ## Take the pictures in docs/images anew: Flower's, and those of blox show and blox report
	@.ci/need servers
	@.ci/need browser
	@echo "== make screenshots: a simulated run in Flower, and a simulated release, in a headless Chromium"
	$(BIN)/python .ci/requirements.py screenshots | $(BIN)/python -m pip install --quiet -c constraints.txt -r /dev/stdin
	OMP_NUM_THREADS=1 $(BIN)/python -m docs.contributing.screenshots
	OMP_NUM_THREADS=1 $(BIN)/python -m docs.contributing.report_pictures

clean: ## Remove the virtual environment and everything that was built
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

$(VENV)/.python:
	@PYTHON="$(PYTHON)" .ci/need build
	@echo "== make setup: virtual environment $(VENV)"
	$(or $(PYTHON),python3) -m venv $(VENV)
	@touch $@

$(VENV)/.dependencies: pyproject.toml constraints.txt $(VENV)/.python
	@echo "== make setup: dependencies (PyTorch is large: minutes, and some 6 GB of disk)"
	$(BIN)/python -m pip install --quiet --upgrade-strategy only-if-needed -c constraints.txt $(BUILD_TOOLS)
	$(BIN)/python .ci/requirements.py dev | $(BIN)/python -m pip install --no-compile --quiet -c constraints.txt -r /dev/stdin
	@# On all cores, where pip takes one; some packages have templates that are no Python.
	$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true
	@touch $@

$(VENV)/.installed: $(VENV)/.dependencies $(BUILD_INPUTS)
	@echo "== make setup: building the C++ codec"
	$(BIN)/python -m pip install --quiet --no-build-isolation --no-deps -e .
	@touch $@
