# Two commands for a fresh machine: `make demo` and `make test`. Needs Rust, Node and npm; installs the rest under .tools.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PROFILE := --release

.PHONY: help tools build demo test lint wasm clean

help:
	@echo "make demo    trade on a forked stand-in mainnet, prove, post, audit (MARKET=path.csv for real data)"
	@echo "make test    every test"
	@echo "make lint    rustfmt and clippy"
	@echo "make wasm    the verifier for wasm32-unknown-unknown"

tools:
	@bash chain/tools.sh

build: tools
	cargo build $(PROFILE) --workspace --bins

test: build
	@command -v cargo-nextest >/dev/null || cargo install cargo-nextest --locked
	cargo nextest run $(PROFILE) --workspace --no-fail-fast

lint:
	cargo fmt --all --check
	cargo clippy $(PROFILE) --workspace --all-targets -- -D warnings

wasm:
	rustup target add wasm32-unknown-unknown
	cargo build $(PROFILE) -p probity-verifier --lib --target wasm32-unknown-unknown

clean:
	cargo clean
