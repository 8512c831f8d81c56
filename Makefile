# Two commands for a fresh machine: `make demo` and `make test`. Needs Rust, Node.js and npm.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PROFILE := --release

.PHONY: help build demo test lint wasm tools figures-backtest figures-settlement clean

help:
	@echo "make demo    run on a forked chain, prove, post, audit, a forged log rejected (MARKET=path.csv FROM=2022-11-08 for recorded data)"
	@echo "make test    every test"
	@echo "make lint    rustfmt and clippy"
	@echo "make tools   anvil, the Solidity compiler and the published contracts, from npm (needs node and npm)"
	@echo "make figures-backtest   decisions and swaps a second into target/figures/backtest.json (MARKET=path.csv for recorded data)"
	@echo "make figures-settlement   gas and time of settlements into target/figures/settlement.json (minutes; DECISIONS=192 PER_BLOCK=16)"
	@echo "make wasm    the verifier for wasm32-unknown-unknown"

build:
	cargo build $(PROFILE) --workspace --bins

demo: build tools
	target/release/probity demo $(if $(MARKET),--market $(MARKET)) $(if $(FROM),--from $(FROM)) $(if $(TO),--to $(TO))

test: build tools
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

figures-backtest:
	cargo run $(PROFILE) -p probity-backtest --example speed -- $(if $(MARKET),--data $(MARKET)) --out target/figures/backtest.json

figures-settlement: tools
	$(if $(DECISIONS),DECISIONS=$(DECISIONS)) $(if $(PER_BLOCK),PER_BLOCK=$(PER_BLOCK)) cargo test $(PROFILE) -p probity-chain --test settlement_figures -- --ignored --nocapture

clean:
	cargo clean
