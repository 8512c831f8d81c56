# Two commands for a fresh machine: `make demo` and `make test`. Needs Rust, Node.js and npm.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PROFILE := --release

.PHONY: help build demo test lint wasm tools page fuzz figures-agent figures-audit figures-backtest figures-ezkl figures-peers figures-prover figures-settlement sbom deny static release clean

help:
	@echo "make demo    run on a forked chain, prove, post, audit, a forged log rejected (MARKET=path.csv FROM=2022-11-08 for recorded data)"
	@echo "make test    every test"
	@echo "make lint    rustfmt and clippy"
	@echo "make tools   anvil, the Solidity compiler and the published contracts, from npm (needs node and npm)"
	@echo "make figures-backtest   decisions and swaps a second into target/figures/backtest.json (MARKET=path.csv for recorded data, PEERS=1 beside other programs)"
	@echo "make figures-prover     folding, compressing, verifying, memory, beside the bare multiplications, into target/figures/prover.json"
	@echo "make figures-audit      what an audit costs, into target/figures/audit.json"
	@echo "make figures-agent      a long run and a run killed again and again, into target/figures/agent.json (an hour; DECISIONS=10000 KILLS=300)"
	@echo "make page    the verifier as one HTML file that works offline: target/page/probity.html"
	@echo "make figures-ezkl       EZKL on the same network and its verifier contract's gas into target/figures/ezkl.json (needs Python 3.11 or later and PyPI)"
	@echo "make figures-settlement   gas and time of settlements into target/figures/settlement.json (minutes; DECISIONS=192 PER_BLOCK=16)"
	@echo "make fuzz    damaged bytes against every parser an auditor feeds (MINUTES=10 SEED=1)"
	@echo "make release  binaries, static ones where musl-gcc is there, completions, man pages, SBOM, checksums, into target/dist"
	@echo "make deny     licences, sources and bans of every dependency (advisories too with ADVISORIES=1, from the internet)"
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

# The verifier as one HTML file that works offline. Optimised as one piece: a tenth less time to check.
page:
	rustup target add wasm32-unknown-unknown
	CARGO_PROFILE_RELEASE_LTO=fat CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1 cargo build $(PROFILE) -p probity-page --lib --target wasm32-unknown-unknown
	cargo run $(PROFILE) -p probity-page --example assemble -- target/wasm32-unknown-unknown/release/probity_page.wasm target/page/probity.html

# The lock file pins everything by its digest; no package's scripts are run.
PACKAGES := chain/contracts/node_modules/.package-lock.json

tools: $(PACKAGES)

$(PACKAGES): chain/contracts/package-lock.json
	@command -v node >/dev/null && command -v npm >/dev/null || { echo "node and npm were not found: install Node.js 18 or later" >&2; exit 1; }
	@echo "installing anvil, solc and the published contracts into chain/contracts/node_modules"
	@cd chain/contracts && npm ci --ignore-scripts --no-audit --no-fund --silent && touch node_modules/.package-lock.json

# An allocation that an input only claims aborts the program.
fuzz:
	cargo build $(PROFILE) -p probity-verifier --example fuzz
	ulimit -v 3000000; target/release/examples/fuzz $(or $(MINUTES),10) $(or $(SEED),1)

figures-agent: build tools
	cargo run $(PROFILE) --workspace --example figures_agent -- $(or $(DECISIONS),10000) $(or $(KILLS),300) target/figures/agent.json

figures-audit:
	cargo build $(PROFILE) -p probity-verifier --bin probity-verify
	cargo run $(PROFILE) -p probity-prover --example audit -- --verifier target/release/probity-verify --out target/figures/audit.json

figures-backtest:
	mkdir -p target/figures
	cargo run $(PROFILE) -p probity-backtest --example speed -- $(if $(MARKET),--data $(MARKET)) --out target/figures/backtest.json --bars-out target/figures/peers-bars.csv
	@if [ -n "$(PEERS)" ]; then $(MAKE) --no-print-directory figures-peers; else echo "other programs on the same rule: make figures-backtest PEERS=1 (Python 3.11, from PyPI into target/peers)"; fi

# The versions are pinned; they are installed apart from everything else.
figures-peers:
	@test -x target/peers/bin/python || python3 -m venv target/peers
	target/peers/bin/pip install --quiet --disable-pip-version-check -r backtest/benches/peers/requirements.txt
	target/peers/bin/python backtest/benches/peers/peers.py --bars target/figures/peers-bars.csv --merge target/figures/backtest.json

figures-prover:
	cargo run $(PROFILE) -p probity-prover --example figures -- target/figures

# The peers' own virtual environment, made anew when its requirements change.
EZKL := target/peers/venv/.installed

$(EZKL): prover/benches/peers/requirements.txt
	@command -v python3 >/dev/null || { echo "python3 was not found: install Python 3.11 or later" >&2; exit 1; }
	python3 -m venv --clear target/peers/venv
	target/peers/venv/bin/pip install --quiet --disable-pip-version-check --only-binary :all: --requirement $<
	touch $@

figures-ezkl: $(EZKL) tools
	target/peers/venv/bin/python prover/benches/peers/ezkl_peer.py --model strategy/learn/models/default.json --work target/peers/ezkl --out target/figures/ezkl.json $(EZKL_FLAGS)

figures-settlement: tools
	$(if $(DECISIONS),DECISIONS=$(DECISIONS)) $(if $(PER_BLOCK),PER_BLOCK=$(PER_BLOCK)) cargo test $(PROFILE) --workspace --test contracts settlement_figures:: -- --ignored --nocapture

# What each program is made of, as CycloneDX.
sbom:
	@command -v cargo-cyclonedx >/dev/null || cargo install cargo-cyclonedx --locked
	cargo cyclonedx --format json --spec-version 1.5 --manifest-path agent/Cargo.toml --override-filename probity.cdx
	mkdir -p target/dist/sbom
	find . -name probity.cdx.json -not -path './target/*' -execdir sh -c 'mkdir -p "$$1/$$(basename "$$PWD")" && mv probity.cdx.json "$$1/$$(basename "$$PWD")/"' _ "$(CURDIR)/target/dist/sbom" \;

deny:
	@command -v cargo-deny >/dev/null || cargo install cargo-deny --locked
	cargo deny check bans licenses sources $(if $(ADVISORIES),advisories)

# Needs musl-gcc (Debian: musl-tools): the bundled SQLite and ring have C parts.
MUSL := x86_64-unknown-linux-musl

static:
	@command -v musl-gcc >/dev/null || { echo "musl-gcc was not found: install musl-tools" >&2; exit 1; }
	rustup target add $(MUSL)
	cargo build $(PROFILE) --target $(MUSL) -p probity -p probity-verifier --bins --no-default-features

release: build sbom
	mkdir -p target/dist
	install -m 755 target/release/probity target/release/probity-verify target/dist/
	@if command -v musl-gcc >/dev/null; then $(MAKE) --no-print-directory static && mkdir -p target/dist/static && install -m 755 target/$(MUSL)/release/probity target/$(MUSL)/release/probity-verify target/dist/static/; else echo "no static binaries: musl-gcc was not found (Debian: musl-tools)" >&2; fi
	target/dist/probity completions --dir target/dist/completions
	target/dist/probity man --dir target/dist/man
	cp LICENSE-MIT LICENSE-APACHE agent/release/probity.service docs/operators/grafana.json docs/operators/alerts.yaml target/dist/
	cd target/dist && find . -type f ! -name SHA256SUMS | sort | xargs sha256sum > SHA256SUMS

clean:
	cargo clean
