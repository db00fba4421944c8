# `make demo` and `make test` set everything up by themselves; the rest is for those who change the code.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test setup check eval bench bench-extract bench-score drill train docs clean

demo: setup
	$(BIN)/python -m examples.demo demo

test: setup
	$(BIN)/python -m pytest

setup: $(STAMP)

# torch comes first and pinned: a plain requirement would bring several gigabytes of GPU libraries.
$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || (echo "Bellwether needs Python 3.11 or newer; name one: make PYTHON=python3.12 setup"; exit 1)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $(STAMP)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# BELLWETHER_DATA names the folder of the real corpora.
eval: setup
	$(BIN)/python -m benchmarks.quality

bench: bench-extract

bench-extract: setup
	$(BIN)/python -m benchmarks.extract

# Fifty kills at random points of a crawl and of reading; the tests do a few.
drill: setup
	BELLWETHER_KILLS=50 $(BIN)/python -m pytest tests/signals/test_extract_job.py tests/world/test_killed_crawl.py -k killed
	BELLWETHER_REQUESTS=10000 $(BIN)/python -m pytest tests/crawler/test_server_log.py
	BELLWETHER_DRILL=long $(BIN)/python -m pytest tests/operations/test_drills.py tests/operations/test_hostile_site.py
	BELLWETHER_DRILL=long $(BIN)/python -m pytest tests/operations/test_cluster.py tests/operations/test_lake.py tests/hub/test_tick.py
	$(BIN)/python -m benchmarks.crawl_trap

bench-score: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	$(BIN)/python -m benchmarks.scoring_scale --accounts 100000 1000000 --rounds 3

# Freed memory is kept: tensors come and go at every step, and page faults would cost a third of the time.
KEEP_MEMORY := MALLOC_TRIM_THRESHOLD_=100000000000 MALLOC_MMAP_MAX_=0 MALLOC_ARENA_MAX=1
# CORPORA hold the texts of signals/real_labels.jsonl, LABELLED is a file of other labelled texts, on which the model is calibrated; without them the model
# learns from signals/examples alone.
TEXTS := $(if $(CORPORA),--texts build/real/training.jsonl)
train: setup
	$(if $(CORPORA),$(BIN)/python -m signals.real_texts $(CORPORA) --out build/real)
	$(BIN)/python -m signals.first_stage_training $(TEXTS)
	$(KEEP_MEMORY) $(BIN)/python -m signals.training $(TEXTS)
	$(if $(LABELLED),$(BIN)/python -m signals.calibration $(LABELLED))
	$(if $(PAGES),$(BIN)/python -m signals.block_training $(PAGES))
