# Two commands: `make run` serves the product, `make test` proves it. Both install what is missing first.

TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)

.PHONY: run test install setup

run: setup
	cargo build --release --locked
	BSS_ALLOW_ADMIN_RESET=true $(TARGET_DIR)/release/bss serve

test: setup
	cargo test --workspace --locked

install: setup
	cargo install --path . --locked

setup:
	@scripts/setup.sh
