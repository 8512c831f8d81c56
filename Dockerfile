# The agent for a real chain (development chains need Node's packages and are not in the image).
#   docker build -t probity .
#   docker run --rm -v probity:/data -e PROBITY_OPERATOR_KEY -p 127.0.0.1:8180:8180 probity \
#     run --rpc URL --dir /data/run --serve 0.0.0.0:8180 --serve-beyond-loopback
FROM docker.io/library/rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# As `make build` does: the features that the tests ran with. rust-toolchain.toml stays out (.dockerignore): the image brings the compiler.
RUN cargo build --release --locked --workspace --bins

FROM docker.io/library/debian:bookworm-slim
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data --create-home probity
COPY --from=build /src/target/release/probity /src/target/release/probity-verify /usr/local/bin/
USER probity
WORKDIR /data
VOLUME /data
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/probity"]
CMD ["--help"]
