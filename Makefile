# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
# pip compiles on one core, after the download of each: compileall does it on all of them.
PIP := pip install --quiet --disable-pip-version-check --no-compile
UV_FLAGS := --universal --python-version 3.11 --fork-strategy fewest \
	--generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header --quiet
UV_COMPILE := uv pip compile pyproject.toml $(UV_FLAGS)
TORCH := $(shell sed -n 's/^ *"\(torch==[^"]*\)".*/\1/p' pyproject.toml)
# One file, one process, so that what a file's tests share is made once; in the files' order, the longest first.
PYTEST := $(BIN)/pytest --numprocesses logical --maxprocesses 8 --dist loadfile --no-loadscope-reorder
TOOLS := .venv/tools
export DVC_NO_ANALYTICS := 1

.PHONY: help setup demo test coverage torture lint readme lock sbom audit image clean
help: ## what can be made
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile

setup: $(STAMP) ## .venv with every locked dependency, .venv/bin/app-repro and .venv/bin/dvc

# Everything but torch comes hash-checked from the lock; torch by version alone, since its CPU and CUDA wheels differ.
$(STAMP): requirements-cpu.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 13) else f"app-repro needs Python 3.11 or 3.12, {sys.executable} is {v[0]}.{v[1]}: make setup PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/$(PIP) --require-hashes --no-deps -r requirements-cpu.lock
	$(BIN)/$(PIP) $(TORCH)
	$(BIN)/$(PIP) --no-deps --no-build-isolation -e .
	@# some packages carry files of other Pythons, which do not compile and are not imported
	$(BIN)/python -m compileall -qq -j 0 -x '/tests?/' .venv/lib || true
	@touch $@

demo: setup ## the whole pipeline on the embedded data set: minutes on two cores
	$(BIN)/app-repro demo

test: setup lint ## the linter, the type checker and every test
	$(PYTEST)

coverage: setup ## every test again, half as slow again, and the lines that none of them reaches
	$(PYTEST) --cov --cov-report=term:skip-covered

torture: setup ## every promise of SECURITY.md with its full count (SEED=n draws other trials)
	TORTURE=1 TORTURE_SEED=$(or $(SEED),2204) $(BIN)/pytest -m promise --no-header -rA

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

readme: setup ## the generated parts of README.md and docs, and their figures, from data/published
	$(BIN)/python -m app_repro.cli.readme

# What looks at the supply chain has an environment and a lock of its own: it is no part of what it looks at.
$(TOOLS)/.installed: .ci/tools.lock
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/$(PIP) --require-hashes --no-deps -r .ci/tools.lock
	@touch $@

sbom: $(TOOLS)/.installed ## sbom.cdx.json: what the image's lock file pins, in CycloneDX
	$(TOOLS)/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --output-file sbom.cdx.json requirements.lock

audit: $(TOOLS)/.installed ## the lock file against known vulnerabilities (asks the package index, and fails where it cannot)
	$(TOOLS)/bin/pip-audit --strict --require-hashes --disable-pip --requirement requirements.lock

lock: ## all lock files anew (needs uv)
	$(UV_COMPILE) --extra onnx --extra slurm --upgrade -o requirements.lock
	$(UV_COMPILE) --extra test --extra ray --extra onnx --extra slurm -c requirements.lock --no-emit-package torch $$(sed -n 's/^\(nvidia[^=]*\|cuda[^=]*\|triton\)==.*/--no-emit-package \1/p' requirements.lock) -o requirements-cpu.lock
	printf 'cyclonedx-bom\npip-audit\n' | uv pip compile - $(UV_FLAGS) --upgrade -o .ci/tools.lock

image: ## the container image, labelled with where it comes from
	docker build --build-arg REVISION="$$(git rev-parse HEAD)" --build-arg SOURCE="$$(git remote get-url origin 2>/dev/null | sed 's,//[^/@]*@,//,')" -t app-repro .

clean: ## what make made, not the store
	rm -rf .venv data/demo .mypy_cache .ruff_cache .pytest_cache .coverage
