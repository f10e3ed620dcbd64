# Needs Python 3.11+, git and make; each target sets up what it needs in .venv/.
#
#   make demo     shapes from the shipped weights, as pictures, GLB files and a page, in demo/
#   make test     every test but the slow ones, which are trainings of a minute
#   make slow     those
#   make check    ruff, mypy, architecture and documentation
#   make mutants  breaks the shared core, line by line; the tests of every model must notice
#   make bench    every benchmark, a JSON line each
#   make pictures the pictures of README.md (needs Chromium and xvfb-run)
#   make clean    remove what these targets made, .venv/ included
#
#   PYTHON=python3.12    the interpreter of the virtual environment
#   TORCH_INDEX=URL      torch's package index, for example https://download.pytorch.org/whl/cpu
#   JOBS=2               processes of the tests

JOBS ?= 2
DEMO ?= demo
BIN := .venv/bin
export PYTHON TORCH_INDEX

.PHONY: setup demo test slow check mutants bench pictures clean
.DEFAULT_GOAL := demo

setup: .venv/.ready

.venv/.ready: setup.cfg pyproject.toml constraints.txt .ci/setup
	@sh .ci/setup

demo: .venv/.ready
	$(BIN)/shapegen demo --out $(DEMO)

# A process a core, a thread a process.
test: .venv/.ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist worksteal -q -rs -m "not slow" $(ARGS)

slow: .venv/.ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist worksteal -q -rs -m slow $(ARGS)

check: .venv/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_architecture.py tests/test_docs.py -k "not run_in_order"

mutants: .venv/.ready
	$(BIN)/python -m tests.mutants

bench: .venv/.ready
	@for workload in $$($(BIN)/python -m benchmarks --list); do \
	    $(BIN)/python -m benchmarks $$workload --json || exit 1; \
	done

pictures: .venv/.ready
	$(BIN)/shapegen sample structurenet-furniture -n 24 --seed 0 --format png --out out/24
	$(BIN)/shapegen data make furniture-chairs -n 50 --seed 7 --out out/chairs.npz
	$(BIN)/shapegen interpolate structurenet-furniture out/chairs.npz:3 out/chairs.npz:12 \
	    --steps 24 --animate --format npz --out out/walk
	$(BIN)/shapegen sample pointflow-furniture -n 12 --seed 0 --points 4096 --format png \
	    --out out/12
	mkdir -p docs/images
	cp out/24/contact.png docs/images/samples.png
	cp out/walk/animation.gif docs/images/interpolation.gif
	cp out/12/contact.png docs/images/clouds.png
	$(BIN)/python -m benchmarks.field_sheet graf-furniture -n 16 --out docs/images/fields.png
	$(BIN)/shapegen sample structurenet-furniture -n 8 --seed 1 --out out/samples
	xvfb-run -a -s "-screen 0 1280x900x24" $(BIN)/python -m benchmarks.viewer_pictures out/samples/0000.glb \
	    --page docs/images/page.png --window docs/images/window.png

clean:
	rm -rf .venv build dist demo out runs *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
