# `make demo` shows the main job, `make test` checks everything. Both install what is missing.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup demo loop test bench clean

CHECKPOINT := tests/fixtures/golden/r1pro
EPISODES   := tests/fixtures/behavior_sim
BUNDLE     := out/demo/bundle

# Started directly: `cargo run --package` would choose features for one package alone and build most of it again.
PROGRAMS := $${CARGO_TARGET_DIR:-target}/release

WITH_ONNXRUNTIME = ORT_DYLIB_PATH=$${ORT_DYLIB_PATH:-$$(scripts/onnxruntime)}

help:
	@echo "make demo   export the small policy and let it drive a replayed R1 Pro"
	@echo "make loop   record, convert, train, analyse, export and drive, small, on the simulated robot"
	@echo "make test   formatting, lints, tests, documentation, dependencies"
	@echo "make bench  timings, as ratios"
	@echo "make setup  install what the others need (they call it themselves)"

setup:
	@scripts/setup

demo: setup
	cargo build --release --locked --package sinew-trainer --package sinew-runtime
	rm -rf $(BUNDLE)
	$(WITH_ONNXRUNTIME) $(PROGRAMS)/sinew-trainer export \
		--checkpoint $(CHECKPOINT) --output $(BUNDLE) --layout behavior-2025-top32
	$(WITH_ONNXRUNTIME) $(PROGRAMS)/sinew-runtime demo \
		--bundle $(BUNDLE) --dataset $(EPISODES) --plot out/demo/last_chunk.png

loop: setup
	cargo build --release --locked --package sinew-trainer --package sinew-runtime
	scripts/loop

test: setup
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- --deny warnings
	@if cargo nextest --version >/dev/null 2>&1; then \
		set -x; cargo nextest run --workspace --locked; \
	else \
		set -x; cargo test --workspace --locked --lib --bins --tests; \
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
