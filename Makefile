# Two commands for a fresh machine: `make demo` and `make test`. Needs Rust.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PROFILE := --release

.PHONY: help build demo test lint wasm tools clean

help:
	@echo "make demo    a proven run, its audit, a forged log rejected (MARKET=path.csv FROM=unix_s TO=unix_s for recorded data)"
	@echo "make test    every test"
	@echo "make lint    rustfmt and clippy"
	@echo "make tools   anvil, the Solidity compiler and the published contracts, from npm (needs node and npm)"
	@echo "make wasm    the verifier for wasm32-unknown-unknown"

build:
	cargo build $(PROFILE) --workspace --bins

demo: build
	target/release/probity demo $(if $(MARKET),--market $(MARKET)) $(if $(FROM),--from $(FROM)) $(if $(TO),--to $(TO))

test: build
	@command -v cargo-nextest >/dev/null || cargo install cargo-nextest --locked
	cargo nextest run $(PROFILE) --workspace --no-fail-fast

lint:
	cargo fmt --all --check
	cargo clippy $(PROFILE) --workspace --all-targets -- -D warnings

wasm:
	rustup target add wasm32-unknown-unknown
	cargo build $(PROFILE) -p probity-verifier --lib --target wasm32-unknown-unknown

# The lock file pins everything by its digest; no package's scripts are run.
PACKAGES := chain/contracts/node_modules/.package-lock.json

tools: $(PACKAGES)

$(PACKAGES): chain/contracts/package-lock.json
	@command -v node >/dev/null && command -v npm >/dev/null || { echo "node and npm were not found: install Node.js 18 or later" >&2; exit 1; }
	@echo "installing anvil, solc and the published contracts into chain/contracts/node_modules"
	@cd chain/contracts && npm ci --ignore-scripts --no-audit --no-fund --silent && touch node_modules/.package-lock.json

clean:
	cargo clean
