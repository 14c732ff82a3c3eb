# One image, one process: docker build -t bss . && docker run bss serve. It brings no database: BSS_DB_URL names one.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked && install -D target/release/bss /out/bss

FROM debian:bookworm-slim
# For calls over TLS: to a network, to a mail server, to listeners.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 10001 bss \
 && useradd --uid 10001 --gid bss --home-dir /var/lib/bss --no-create-home --shell /usr/sbin/nologin bss \
 && install --directory --owner bss --group bss --mode 0700 /var/lib/bss
COPY --from=build /out/bss /usr/local/bin/bss
COPY scenarios /usr/local/share/bss/scenarios
USER 10001
WORKDIR /usr/local/share/bss
ENV BSS_API_ADDR=0.0.0.0:8000 BSS_DATA_DIR=/var/lib/bss
VOLUME /var/lib/bss
EXPOSE 8000
# Asks the server for its clock, which is in the database.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["bss", "clock", "now"]
ENTRYPOINT ["bss"]
CMD ["serve"]
