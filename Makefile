# Two commands for users: `make certify` and `make test`. All others are for contributors.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# One OpenMP thread per process: teams of several processes on the same cores slow each other down.
export OMP_NUM_THREADS ?= 1

.PHONY: certify test test-slow test-scatter lint bench clean

certify: $(VENV)/.installed
	$(BIN)/graphcert certify --dataset digits --model gcn --add 0.02 --delete 0.3 --samples 10000 --seed 0 --out runs/quickstart
	@echo 'The other commands need this environment: source $(VENV)/bin/activate, or call $(BIN)/graphcert'

# The same numbers and examples every time, so the same verdict.
test: $(VENV)/.installed-dev
	@began=$$(date +%s); $(BIN)/python -m pytest -n auto --dist loadfile -m "not slow"; verdict=$$?; \
	took=$$(($$(date +%s) - began)); echo "make test took $$((took / 60)) min $$((took % 60)) s"; exit $$verdict

# Everything, the long tests too, under a seed of its own each time; `make test-slow SEED=…` repeats it.
SEED := $(or $(SEED),$(shell $(PYTHON) -c "import secrets; print(secrets.randbits(32))"))
test-slow: $(VENV)/.installed-dev
	GRAPHCERT_TEST_SEED=$(SEED) $(BIN)/python -m pytest --hypothesis-profile=free --hypothesis-seed=$(SEED)

test-scatter: $(VENV)/.installed-scatter
	$(BIN)/python -m pytest tests/models/test_scatter.py

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.installed
	$(BIN)/python benchmarks/votes.py

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: constraints.txt setup.cfg pyproject.toml | $(BIN)/python
	$(PIP) install -c constraints.txt -e .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) install -c constraints.txt -e '.[dev]'
	touch $@

# torch-scatter has no binary package: it is built once against the installed torch and kept as a wheel.
TORCH := $(shell sed -n "s,^torch==,,p" constraints.txt)
WHEELS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/graphcert/wheels/torch-$(TORCH)
$(VENV)/.installed-scatter: $(VENV)/.installed-dev
	mkdir -p $(WHEELS)
	$(PIP) install -c constraints.txt setuptools wheel ninja
	ls $(WHEELS)/torch_scatter-*.whl >/dev/null 2>&1 || $(PIP) wheel --no-cache-dir --no-build-isolation --no-deps -c constraints.txt -w $(WHEELS) torch-scatter
	$(PIP) install --no-deps $(WHEELS)/torch_scatter-*.whl
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info
