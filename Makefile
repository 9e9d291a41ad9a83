# Every target sets up .venv by itself; Python >= 3.11 and make are all it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PORT ?= 8080
CASES ?= 5000

# Programs compiled once: without its bytecode each of the processes that tests start, and each
# of their workers, compiles all of the bridge and of the tests again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help serve test fuzz lint bench crash fleet clean
.DEFAULT_GOAL := help

help:
	@echo "make serve    the bridge on its own lab, at http://127.0.0.1:$(PORT)/cimi/2"
	@echo "make serve CONFIG=bridge.yaml   the bridge on your WBEM servers"
	@echo "make test     every test"
	@echo "make fuzz     5,000 requests made from the OpenAPI document; CASES=... for others"
	@echo "make bench    ratios measured in one run"
	@echo "make crash    the bridge, and one of two, killed 100 times while they make machines"
	@echo "make fleet    200 WBEM servers, 10 of them dead and 5 hanging; TARGETS=... for others"
	@echo "make lint     ruff and mypy --strict"

$(STAMP): setup.py constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "cimi-cim needs Python 3.11 or newer; say which with: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,lint]'
	@touch $(STAMP)

serve: $(STAMP)
	$(BIN)/cimi-cim serve $(if $(CONFIG),--config $(CONFIG)) --port $(PORT)

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 $(ARGS)

fuzz: $(STAMP)
	FUZZ_CASES=$(CASES) $(BIN)/python -m pytest -n 2 tests/fuzz $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

crash: $(STAMP)
	CRASHES=$(or $(CRASHES),100) $(BIN)/python -m pytest tests/crash tests/jobs/test_crashes.py $(ARGS)

fleet: $(STAMP)
	TARGETS=$(or $(TARGETS),200) $(BIN)/python -m pytest -s tests/e2e/test_many_targets.py $(ARGS)

bench: $(STAMP)
	$(BIN)/python -m tests.bench

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
