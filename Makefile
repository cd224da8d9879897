# Relative paths only: it works in any folder, also in one with spaces in its path.
SCALE = small
PYTHON ?= python3
ARGS =

VENV_PYTHON = .venv/bin/python
# A Python that was asked for replaces another one in .venv; the default makes do with what is there.
CHOSEN = $(if $(filter file,$(origin PYTHON)),,--python-chosen)
# In the order given: the notebooks, which take longest, are not to come last.
PYTEST = OMP_NUM_THREADS=1 $(VENV_PYTHON) -m pytest -n 2 --dist loadscope --no-loadscope-reorder
NBVAL = --nbval-lax --nbval-current-env --nbval-cell-timeout=600 \
	--nbval-sanitize-with=tests/nbval_sanitize.cfg

.DEFAULT_GOAL := help
.PHONY: help setup run evidence test check lab book serve bench soak lock clean lint

help:
	@echo "make run     execute every chapter; leaves notebooks, figures and tables in build/"
	@echo "             SCALE=full: at the published budget (at most an hour a chapter, resumable)"
	@echo "             ARGS=2: one chapter only"
	@echo "             ARGS=--anew: without the runs that results/evidence/ holds"
	@echo "make evidence  train these anew, and write them; resumable; ARGS=NAME: of one name"
	@echo "make test    every test, the notebooks included; ARGS=... for pytest instead"
	@echo "make check   the quick tests"
	@echo "make lab     JupyterLab on the notebooks"
	@echo "make book    the web book of the chapters, in build/book; needs mdbook"
	@echo "make serve   the same, shown on this machine and made anew at every change"
	@echo "make bench   processor time beside the usual tools, into results/benchmarks.csv and README;"
	@echo "             ARGS=fit-lenet: one comparison anew"
	@echo "make soak    a sweep killed twenty times ends with the records of an unbroken one,"
	@echo "             evidence errs as rarely as it says, by simulation,"
	@echo "             and every page of claims comes to the same verdicts on other seeds"
	@echo "make setup   only make or refresh .venv; PYTHON=python3.12: with that Python"
	@echo "             PEERS=1: with the other libraries that some tests compare with"
	@echo "make lock    pin the dependencies again; ARGS=--upgrade: at their newest versions"
	@echo "make clean   remove what was built, but not finished runs nor .venv"

setup:
	@$(PYTHON) tools/setup_venv.py $(CHOSEN) $(if $(PEERS),--peers)

run: setup
	@$(VENV_PYTHON) -m lrcourse run --scale $(SCALE) $(ARGS)

evidence: setup
	@$(VENV_PYTHON) -m lrcourse evidence $(ARGS)

lint: setup
	@$(VENV_PYTHON) tools/lint.py

test: lint
	@$(PYTEST) $(NBVAL) $(if $(ARGS),$(ARGS),notebooks tests)

check: lint
	@$(PYTEST) -m "not slow" $(if $(ARGS),$(ARGS),tests)

lab: setup
	@LRCOURSE_SCALE=$(SCALE) $(VENV_PYTHON) -m lrcourse lab $(ARGS)

book: setup
	@$(VENV_PYTHON) -m lrcourse book

serve: setup
	@$(VENV_PYTHON) -m lrcourse book --serve $(ARGS)

bench: setup
	@OMP_NUM_THREADS=1 $(VENV_PYTHON) benchmarks/measure.py $(ARGS)

soak: setup
	@$(VENV_PYTHON) tests/soak/soak_kills.py $(ARGS)
	@$(VENV_PYTHON) tests/soak/soak_calibration.py
	@$(VENV_PYTHON) tests/soak/soak_claims.py

lock:
	@$(PYTHON) tools/lock.py $(ARGS)

clean:
	@if [ -d build ]; then find build -mindepth 1 -maxdepth 1 ! -name records ! -name cache ! -name setup.lock -exec rm -rf {} +; fi
	@rm -rf .pytest_cache .ruff_cache .hypothesis
	@echo "kept: .venv, and under build/ the records of finished runs and the caches"
