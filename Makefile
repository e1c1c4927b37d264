# Two commands for users: `make certify` and `make test`. All others are for contributors.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# One OpenMP thread per process: teams of several processes on the same cores slow each other down.
export OMP_NUM_THREADS ?= 1

.PHONY: certify test test-slow test-scatter lint bench lock clean

certify: $(VENV)/.installed
	$(BIN)/graphcert certify --dataset digits --model gcn --add 0.02 --delete 0.3 --samples 10000 --seed 0 --out runs/quickstart
	@echo 'The other commands need this environment: source $(VENV)/bin/activate, or call $(BIN)/graphcert'

# The same numbers and examples every time, so the same verdict.
test: $(VENV)/.installed
	@began=$$(date +%s); $(BIN)/python -m pytest -n auto --dist loadfile -m "not slow"; verdict=$$?; \
	took=$$(($$(date +%s) - began)); echo "make test took $$((took / 60)) min $$((took % 60)) s"; exit $$verdict

# Everything, the long tests too, under a seed of its own each time; `make test-slow SEED=…` repeats it.
SEED := $(or $(SEED),$(shell $(PYTHON) -c "import secrets; print(secrets.randbits(32))"))
test-slow: $(VENV)/.installed
	GRAPHCERT_TEST_SEED=$(SEED) $(BIN)/python -m pytest --hypothesis-profile=free --hypothesis-seed=$(SEED)

test-scatter: $(VENV)/.installed-scatter
	$(BIN)/python -m pytest tests/models/test_scatter.py

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.installed
	$(BIN)/python benchmarks/votes.py

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# torch by version, from the index that the machine prefers; all else by the hashes of the lock; then graphcert itself, built with
# the locked setuptools. The last command also brings the CUDA libraries where torch is a build that names them.
TORCH := 2.13.0
$(VENV)/.installed: constraints.txt setup.cfg pyproject.toml Makefile | $(BIN)/python
	$(PIP) install --no-deps torch==$(TORCH)
	$(PIP) install --require-hashes --no-deps -r constraints.txt
	$(PIP) install --no-build-isolation -e .
	touch $@

# torch-scatter has no binary package: it is built once against the installed torch and kept as a wheel.
WHEELS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/graphcert/wheels/torch-$(TORCH)
$(VENV)/.installed-scatter: $(VENV)/.installed constraints-scatter.txt
	mkdir -p $(WHEELS)
	ls $(WHEELS)/torch_scatter-*.whl >/dev/null 2>&1 || $(PIP) wheel --no-cache-dir --no-build-isolation --no-deps --require-hashes -w $(WHEELS) -r constraints-scatter.txt
	$(PIP) install --no-deps $(WHEELS)/torch_scatter-*.whl
	touch $@

# The newest versions that fit together, found by uv. torch stays out, and the CUDA libraries that one of its builds names.
lock:
	rm -f lock.txt
	uv pip compile setup.cfg --extra dev --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	  --quiet --output-file lock.txt
	{ grep '^#' constraints.txt; awk '/^[a-z]/ { wanted = !/^(cuda|nvidia|torch==|triton)/ } wanted' lock.txt; } > locked.txt
	rm lock.txt && mv locked.txt constraints.txt

clean:
	rm -rf $(VENV) build dist *.egg-info
