# Two commands for users: `make certify` and `make test`. All others are for contributors, see CONTRIBUTING.md:
#   checks        test-slow test-scatter mutations guarantees fuzz lint
#   measurements  bench experiments first-ten-minutes
#   documents     docs
#   releases      dist wheels test-dist image sbom lock lock-fits
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# One OpenMP thread per process: teams of several processes on the same cores slow each other down.
export OMP_NUM_THREADS ?= 1

.PHONY: certify test test-slow test-scatter mutations guarantees fuzz lint
.PHONY: bench experiments first-ten-minutes dist wheels test-dist image sbom docs lock lock-fits clean

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

# Every reader of files under changed and hostile files, for so many seconds; what crashes one is kept as a test.
FUZZ_SECONDS ?= 600
fuzz: $(VENV)/.installed
	$(BIN)/python tests/fuzz/fuzz_watch.py $(FUZZ_SECONDS) $(SEED)

test-scatter: $(VENV)/.installed-scatter
	$(BIN)/python -m pytest tests/models/test_scatter.py

# Known mistakes are planted one at a time, and named tests must fail on them.
mutations: $(VENV)/.installed
	$(BIN)/python tests/mutations

# The table of false claims in thousands of runs; `make test-slow` checks the same.
guarantees: $(VENV)/.installed
	$(BIN)/python tests/guarantees

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Every benchmark, small cases only, one after the other; `make bench BENCH=` takes the full ones, for hours. What is printed is
# kept in benchmarks/results/quick, or benchmarks/results/full.
BENCH ?= --quick
bench: $(VENV)/.installed
	kept=benchmarks/results/$(if $(BENCH),quick,full); mkdir -p $$kept; \
	for script in $(filter-out benchmarks/command.py,$(wildcard benchmarks/*.py)); do \
	echo "== $$script"; table=$$kept/$$(basename $$script .py).txt; \
	$(BIN)/python $$script $(BENCH) >$$table || exit 1; cat $$table; done

# Every experiment of the experiments folder, with its report.
experiments: $(VENV)/.installed
	$(BIN)/graphcert experiment run all --out runs/experiments

# From a clone to certificates of an own model, each command as the documentation has it, with the seconds that each step takes.
first-ten-minutes:
	$(PYTHON) .ci/first_ten_minutes.py $(if $(TUTORIAL),--tutorial $(TUTORIAL))

# The source archive and the wheel, the same bytes for the same commit.
dist: $(VENV)/.installed
	$(BIN)/python .ci/dist.py dist

# All that a machine without network needs, for this version of Python: pip install --no-index --find-links wheels graphcert
wheels: dist
	rm -rf wheels && mkdir wheels
	$(PIP) download --quiet --require-hashes --no-deps --only-binary :all: -r constraints.txt -d wheels
	sed -n 's/^\([a-z].*[^ ]\) *\\$$/\1/p' constraints.txt >wheels/pins.txt
	$(PIP) download --quiet --constraint wheels/pins.txt torch==$(TORCH) -d wheels
	cp dist/*.whl wheels

# What a user gets: the wheel in a new environment outside of the checkout, from these files alone.
test-dist: wheels
	.ci/test_dist $(BIN)/python

# A container image of the command, built from the wheels without network; the base image must be there or pulled.
CONTAINER ?= docker
image: wheels
	$(CONTAINER) build --file Containerfile --tag graphcert \
	--build-arg PYTHON=$$($(BIN)/python -c "import sys; print('%d.%d' % sys.version_info[:2])") wheels

# What is installed and which data are known, with hashes, as CycloneDX 1.6; the tool has an environment of its own.
SBOM ?= sbom.json
sbom: $(VENV)/.installed $(VENV)-sbom/.installed
	$(VENV)-sbom/bin/python .ci/sbom.py $(BIN)/python $(SBOM) constraints.txt

$(VENV)-sbom/.installed: constraints-sbom.txt
	$(PYTHON) -m venv $(VENV)-sbom
	$(VENV)-sbom/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes --no-deps -r constraints-sbom.txt
	touch $@

# The documentation as a site, site/index.html is its first page; no warning is let through. Sources are read and not imported, so
# its tools have an environment of their own, without torch.
docs: $(VENV)-docs/.installed
	NO_MKDOCS_2_WARNING=1 $(VENV)-docs/bin/mkdocs build --strict

$(VENV)-docs/.installed: constraints-docs.txt
	$(PYTHON) -m venv $(VENV)-docs
	$(VENV)-docs/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes --no-deps -r constraints-docs.txt
	touch $@

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
SUPPORTED := 3.11 3.12 3.13
LOCKED := --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --quiet
lock:
	rm -f lock.txt
	echo cyclonedx-bom | uv pip compile - $(LOCKED) --output-file lock.txt
	{ grep '^#' constraints-sbom.txt; grep -v '^#' lock.txt; } > locked.txt
	rm lock.txt && mv locked.txt constraints-sbom.txt
	printf 'mkdocs<2\nmkdocs-material\nmkdocstrings-python\nruff\n' | uv pip compile - $(LOCKED) --output-file lock.txt
	{ grep '^#' constraints-docs.txt; grep -v '^#' lock.txt; } > locked.txt
	rm lock.txt && mv locked.txt constraints-docs.txt
	uv pip compile setup.cfg --extra dev $(LOCKED) --output-file lock.txt
	{ grep '^#' constraints.txt; awk '/^[a-z]/ { wanted = !/^(cuda|nvidia|torch==|triton)/ } wanted' lock.txt; } > locked.txt
	rm lock.txt && mv locked.txt constraints.txt
	$(MAKE) lock-fits

# Every locked version has a file for every supported Python; asks the index for the names of files only.
lock-fits:
	for version in $(SUPPORTED); do echo "constraints.txt on Python $$version" && uv pip install --dry-run --quiet --no-deps \
	--only-binary :all: --require-hashes --target $(VENV)-none --python-version $$version -r constraints.txt || exit 1; done
	rm -rf $(VENV)-none

clean:
	rm -rf $(VENV) $(VENV)-sbom $(VENV)-docs build dist wheels site *.egg-info
