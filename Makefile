# Two commands: `make demo` (the main job) and `make test`. Both set themselves up.

PYTHON ?= python3
VENV = .venv
RUN = $(VENV)/bin/python
export QT_QPA_PLATFORM = offscreen
export MPLBACKEND = Agg

.PHONY: demo demo-group test test-all lint bench pictures clean

# One stamp per set of requirements: the demo installs less than the tests.
$(VENV)/%.installed: Testing/requirements-%.txt Testing/setup.sh
	PYTHON=$(PYTHON) VENV=$(VENV) sh Testing/setup.sh requirements-$*
	touch $@

# make demo                 the embedded head phantom
# make demo INPUT=<folder>  a BIDS data set or a folder of NIfTI files
demo: $(VENV)/demo.installed
	$(RUN) Testing/demo.py $(if $(INPUT),--input "$(INPUT)") $(if $(OUT),--out "$(OUT)") $(ARGS)

# two groups of twelve numerical heads, from wrapped phase to the comparison by region and by voxel
demo-group: $(VENV)/test.installed
	$(RUN) Testing/groupdemo.py $(or $(OUT),demo/group) $(ARGS)

test: $(VENV)/test.installed lint
	$(RUN) -m pytest -m "not slow" Testing/Unit Testing/Regression
	set -e; for file in Testing/Slicer/test_*.py; do $(RUN) -m pytest -q -m "not slow" $$file; done

# the tests that take minutes as well: segmentation of whole heads, the demonstration
test-all: test
	$(RUN) -m pytest -m slow Testing/Unit

lint: $(VENV)/test.installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/codespell

# the pictures of the panels and of the maps in Docs/screenshots, and the pages of the stages
pictures: $(VENV)/test.installed
	$(RUN) Testing/make_docs.py
	$(RUN) Testing/Simulator/screenshots.py $(ARGS)

bench: $(VENV)/demo.installed
	$(RUN) Testing/Benchmarks/run.py $(ARGS)

clean:
	rm -rf $(VENV) build demo
