# The front door. Every target installs what it needs and says so; `make help` lists them.
.PHONY: help build demo stop test conformance canvases compose-test bench format clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' Makefile | expand -t 24

build: ## compile the programs, optimised, in build/
	@dev/setup apt build

demo: ## start everything on this machine, merge one range of days, show where to look
	@dev/demo start

stop: ## end what `make demo` started
	@dev/demo stop

test: ## run all tests on private servers, under sanitizers
	@tests/run

conformance: ## run Celery's own integration suite against the C worker (REFERENCE=1: against the genuine one)
	@REFERENCE=$(REFERENCE) BACKEND=$(BACKEND) tests/conformance/run

canvases: ## send random canvases to a Python worker and the C worker, and compare (COUNT=2000 SEED=1)
	@tests/conformance/compare-canvases --count $(or $(COUNT),2000) --seed $(or $(SEED),1)

compose-test: ## build the images and test the system in containers
	@tests/compose/run

bench: ## measure against the peers, as ratios of the same run
	@tests/bench/run

format: ## clang-format over all C files
	@git ls-files '*.c' '*.h' | xargs clang-format -i

clean: ## remove build directories and test logs
	rm -rf build build-* .state/tests
