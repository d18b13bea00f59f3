#!/usr/bin/env bash
# Builds the guests that the tests load, and writes the digests of their sources. Needs the target wasm32-wasip2 and cargo-component.
#
# The same rustc, Cargo.lock and folders of the crates within the repository make the same bytes, wherever the repository is: a crate's
# folder is part of the names of its symbols, and their order follows from the names. So a crate that moves is built again. `build.sh --check`
# builds the guests for wasm32-wasip2 and compares them with those that are there; with another rustc it says so and compares nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

# Panic messages name source files; remap them so that they do not contain folders of this machine.
export RUSTFLAGS="--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}/registry/src=registry --remap-path-prefix=$PWD=."
target=$(cargo metadata --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
made=$target/wasm32-wasip2/guest

# All in one build: the features of shared crates are those that any of the guests asks for.
cargo build --locked -p guest-tenant-workflow -p guest-durable -p guest-hostile -p guest-paces --target wasm32-wasip2 --profile guest

names=(tenant-workflow-std:guest_tenant_workflow durable:guest_durable hostile:guest_hostile paces:guest_paces)
if [[ "${1:-}" == --check ]]; then
  if ! diff <(rustc --version) <(grep '^# ' tests/guests/guests.lock | cut -c 3-); then
    echo "NOT RUN: the guests were built with another rustc"
    exit
  fi
  differ=0
  for pair in "${names[@]}"; do
    cmp "$made/${pair#*:}.wasm" "tests/guests/${pair%:*}.wasm" && echo "tests/guests/${pair%:*}.wasm: the same bytes" || differ=1
  done
  ((differ == 0)) || echo "run guests/build.sh and commit what it changes"
  exit $differ
fi
for pair in "${names[@]}"; do
  install -m 644 "$made/${pair#*:}.wasm" "tests/guests/${pair%:*}.wasm"
done

cargo component build -p guest-tenant-workflow --target wasm32-unknown-unknown --profile guest
install -m 644 "$target/wasm32-unknown-unknown/guest/guest_tenant_workflow.wasm" tests/guests/tenant-workflow.wasm

# Every source, then every guest: a test compares them, and so does `sha256sum -c`.
{
  rustc --version | sed 's/^/# /'
  find wit guests guest-tenant-workflow tests/guests -path guests/js-engine -prune -o -type f \( -name '*.rs' -o -name '*.wit' -o -name Cargo.toml -o -name '*.wasm' \) -print \
    | LC_ALL=C sort | xargs sha256sum
} > tests/guests/guests.lock
