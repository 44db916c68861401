# The only door: everything a developer or CI does is a target here.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: run test test-kubernetes check bench docs services clean

run: $(READY)  ## set everything up and run the quickstart pipeline
	@$(BIN)/python examples/github-push/run.py

test: $(READY) services check  ## set everything up, test servers included, and run all tests
	CI=true $(BIN)/pytest -q --numprocesses 2 --dist loadfile

test-kubernetes: $(READY)  ## run the tests of Kubernetes against a real API server, which is built once
	@$(BIN)/python -m tests.kubernetes_servers

check: $(READY)  ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)  ## time what matters, as ratios in one run
	@$(BIN)/python -m benchmarks

docs: $(READY)  ## write the generated parts of the documentation anew
	@$(BIN)/python docs/generate.py

services: $(READY)  ## install the servers that tests start
	@sh tests/install_services.sh

clean:
	rm -rf $(VENV) .tiphys

$(READY): pyproject.toml
	@echo "Setting up $(VENV) (once; about a minute) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Tiphys needs Python 3.11 or newer; say which one with: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
		{ echo "Cannot make a virtual environment; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.3'
	@$(BIN)/python -m pip install --quiet --editable '.[all]' --group dev
	@touch $(READY)
