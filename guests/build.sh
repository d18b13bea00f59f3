#!/usr/bin/env bash
# Builds the guests that the tests load, and writes the digests of their sources. Needs the target wasm32-wasip2 and cargo-component.
set -euo pipefail
cd "$(dirname "$0")/.."

# Panic messages name source files; remap them so that they do not contain folders of this machine.
export RUSTFLAGS="--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}/registry/src=registry --remap-path-prefix=$PWD=."
target=$(cargo metadata --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')

cargo component build -p guest-tenant-workflow --target wasm32-unknown-unknown --profile guest
install -m 644 "$target/wasm32-unknown-unknown/guest/guest_tenant_workflow.wasm" tests/guests/tenant-workflow.wasm

cargo build -p guest-tenant-workflow -p guest-durable -p guest-hostile -p guest-paces --target wasm32-wasip2 --profile guest
install -m 644 "$target/wasm32-wasip2/guest/guest_tenant_workflow.wasm" tests/guests/tenant-workflow-std.wasm
install -m 644 "$target/wasm32-wasip2/guest/guest_durable.wasm" tests/guests/durable.wasm
install -m 644 "$target/wasm32-wasip2/guest/guest_hostile.wasm" tests/guests/hostile.wasm
install -m 644 "$target/wasm32-wasip2/guest/guest_paces.wasm" tests/guests/paces.wasm

# Every source, then every guest: a test compares them, and so does `sha256sum -c`.
find wit guests guest-tenant-workflow tests/guests -path guests/js-engine -prune -o -type f \( -name '*.rs' -o -name '*.wit' -o -name Cargo.toml -o -name '*.wasm' \) -print \
  | LC_ALL=C sort | xargs sha256sum > tests/guests/guests.lock
