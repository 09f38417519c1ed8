# make demo   a portrait in, a cut-out out, on a fresh machine
# make test   everything that can be tested here;  make test-fast   what needs no program, server, browser or training
# make test-lowest   the quick tests with the lowest versions that pyproject.toml allows, in an environment of its own
# make people3d   an environment that draws people with exact alpha (people3d/README.md)
PYTHON ?= python3
VENV   := .venv
TF     := .venv-tf
BPY    := .venv-bpy
LOWEST := .venv-lowest
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
# The constraints keep tests and CI on versions known to work together; users' installs are free of them.
PINS   := -c constraints.txt

.PHONY: demo test test-fast test-lowest check bench docs people3d clean

demo: $(VENV)/.run
	@$(BIN)/python inference_bshm.py

test: $(VENV)/.dev $(TF)/.ready
	@bash tests/install_servers.sh
	$(BIN)/python -m pytest --ignore=tests/page -n 2 --dist loadfile
	@# Apart: the browser driver keeps an event loop running in its process, in which no other can be started.
	$(BIN)/python -m pytest tests/page

test-fast: $(VENV)/.dev
	$(BIN)/python -m pytest --ignore=tests/page -m "not slow" -n 2 --dist loadfile

# Not part of CI: it takes minutes.  Old versions warn of newer ones beside them.  Training and Ray are left out: their lowest versions are gigabytes.
test-lowest: $(LOWEST)/.ready
	$(LOWEST)/bin/python -m pytest --ignore=tests/page --ignore=tests/training --ignore=tests/bulk/test_ray.py -m "not slow" \
	  -W ignore::DeprecationWarning -W ignore::PendingDeprecationWarning -n 2 --dist loadfile

$(LOWEST)/.ready: pyproject.toml
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python -m pip --disable-pip-version-check --quiet install uv
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python --resolution lowest-direct --group dev "onnx>=1.16" \
	  -e ".[heif,faces,server,queue,s3,video,bulk]"
	@touch $@

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@# Files of one name, by their whole names.
	$(BIN)/mypy $(addprefix -m tests.,conftest generating.conftest jobs.conftest official.conftest server.conftest training.conftest video.conftest)
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
	@# Groups of dependencies, from pip 25.1 on.
	$(PIP) install $(PINS) "pip>=25.1"
	$(PIP) install $(PINS) --group dev -e ".[train,heif,faces,diffusion,server,queue,s3,video,bulk,ray]"
	@touch $@ $(VENV)/.run

# TensorFlow is for the conversion of the official weights alone and unpacks to 1.6 GB: an environment of its own.
$(TF)/.ready: constraints.txt
	$(PYTHON) -m venv $(TF)
	$(TF)/bin/python -m pip --disable-pip-version-check --quiet install $(PINS) tensorflow-cpu tf2onnx
	@touch $@

people3d: $(BPY)/.ready

# Blender as a module is for drawing people alone, is GPL, unpacks to 1 GB and runs on Python 3.11 only.
$(BPY)/.ready:
	$(PYTHON) -m venv $(BPY)
	$(BPY)/bin/python -m pip --disable-pip-version-check --quiet install bpy==4.5.15 "numpy<2" pillow
	@touch $@

clean:
	rm -rf $(VENV) $(TF) $(BPY) $(LOWEST) build dist results .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
