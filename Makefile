# `make demo` shows the main job, `make test` checks everything. Both install what is missing.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup demo loop test bench clean

CHECKPOINT := tests/fixtures/golden/r1pro
EPISODES   := tests/fixtures/behavior_sim
# What `make demo` shows, on the simulated robot; without it, or without MuJoCo, the checkpoint's policy on a replayed one.
DEMO_BUNDLE := demo/egg_and_cube.bundle

help:
	@echo "make demo   let a policy do its tasks on a simulated R1 Pro, or a small one drive a replayed R1 Pro"
	@echo "make loop   record, convert, train, analyse, export and drive, small, on the simulated robot"
	@echo "make test   formatting, lints, tests, documentation, dependencies"
	@echo "make bench  timings, as ratios"
	@echo "make setup  install what the others need (they call it themselves)"

setup:
	@scripts/setup

demo: setup
	cargo build --release --locked --package sinew-trainer --package sinew-runtime
	scripts/demo $(DEMO_BUNDLE) $(CHECKPOINT) $(EPISODES)

loop: setup
	cargo build --release --locked --package sinew-trainer --package sinew-runtime
	scripts/loop

# As many tests run at once as there are cores; threads of one's small products would only wait for another's.
test: export RAYON_NUM_THREADS := 1
test: setup
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- --deny warnings
	@if cargo nextest --version >/dev/null 2>&1; then \
		set -x; cargo nextest run --workspace --locked; \
	else \
		set -x; cargo test --workspace --locked --lib --bins --tests; \
	fi
	@if scripts/sim-python >/dev/null; then \
		set -x; scripts/loop debug; \
	else \
		echo "MuJoCo cannot draw here: the loop was not run"; \
	fi
	cargo test --workspace --locked --doc
	RUSTDOCFLAGS="--deny warnings" cargo doc --workspace --locked --no-deps
	@if cargo deny --version >/dev/null 2>&1; then \
		set -x; cargo deny check bans licenses; \
	else \
		echo "cargo-deny is not installed: bans and licences were not checked"; \
	fi

bench: setup
	scripts/bench

clean:
	cargo clean
	rm -rf out
