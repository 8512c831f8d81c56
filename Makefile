# Two commands for a fresh machine: `make demo` and `make test`. Needs Rust.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PROFILE := --release

.PHONY: help build demo test lint wasm figures-backtest clean

help:
	@echo "make demo    a proven run, its audit, a forged log rejected (MARKET=path.csv FROM=unix_s TO=unix_s for recorded data)"
	@echo "make test    every test"
	@echo "make lint    rustfmt and clippy"
	@echo "make figures-backtest   decisions and swaps a second into target/figures/backtest.json (MARKET=path.csv for recorded data)"
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

figures-backtest:
	cargo run $(PROFILE) -p probity-backtest --example speed -- $(if $(MARKET),--data $(MARKET)) --out target/figures/backtest.json

clean:
	cargo clean
