# make demo   a portrait in, a cut-out out, on a fresh machine
# make test   everything that can be tested here
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
# The constraints keep tests and CI on versions known to work together; users' installs are free of them.
PINS   := -c constraints.txt

.PHONY: demo test check bench docs clean

demo: $(VENV)/.run
	@$(BIN)/python inference_bshm.py

test: $(VENV)/.dev .venv-tf/.ready
	@bash tests/install_servers.sh
	$(BIN)/python -m pytest

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

docs: $(VENV)/.dev
	$(BIN)/python docs/make_cli.py

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install $(PINS) -e .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install $(PINS) -e ".[dev,train,heif,server,queue]"
	@touch $@ $(VENV)/.run

# TensorFlow, for the import of the official graph, lives apart: it wants other versions of what bshm shares with it.
.venv-tf/.ready: Makefile
	$(PYTHON) -m venv .venv-tf
	.venv-tf/bin/python -m pip --disable-pip-version-check --quiet install tensorflow-cpu==2.21.0 tf2onnx==1.17.0 onnxruntime
	@touch $@

clean:
	rm -rf $(VENV) .venv-tf build dist results .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
