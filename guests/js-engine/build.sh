#!/usr/bin/env bash
# Builds the components that run JavaScript and TypeScript into prebuilt/, and writes down what they were built from.
#
# Needs clang with a WebAssembly target (Debian: apt install clang lld) and the target wasm32-unknown-unknown (rustup target add). The
# same clang, rustc and sources make the same bytes: engines.lock names all three. `build.sh --check` builds them elsewhere and compares; with
# another clang or rustc it says so and compares nothing.
set -euo pipefail
cd "$(dirname "$0")"

# Panic messages name source files, and C's assertions do: without the machine's folders.
registry=${CARGO_HOME:-$HOME/.cargo}/registry/src
remap="--remap-path-prefix=$registry=registry --remap-path-prefix=$PWD=."
# A small stack: it is part of every instance's memory. QuickJS has a bound of its own on what it uses of it.
export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS="$remap -Clink-arg=-zstack-size=524288"
export CC_wasm32_unknown_unknown=clang AR_wasm32_unknown_unknown=llvm-ar
export CFLAGS_wasm32_unknown_unknown="-O3 -ffile-prefix-map=$registry=registry -ffile-prefix-map=$PWD=."

compilers() { clang --version | head -n 1; rustc --version; }

out=prebuilt
if [[ "${1:-}" == --check ]]; then
  out=$(mktemp -d)
  if ! diff <(compilers) <(grep '^# ' prebuilt/engines.lock | cut -c 3-); then
    echo "NOT RUN: the components were built with other compilers"
    exit
  fi
fi
cargo build --locked --profile tool -p snapshot
cargo build --locked --release -p js-engine --target wasm32-unknown-unknown
cargo build --locked --release -p js-prepare --target wasm32-unknown-unknown
made=target/wasm32-unknown-unknown/release
mkdir -p "$out"
target/tool/snapshot --init wizer-initialize "$made/js_engine.wasm" "$out/engine.wasm"
target/tool/snapshot --init wizer-initialize "$made/js_prepare.wasm" "$out/prepare.wasm"

if [[ "$out" != prebuilt ]]; then
  (cd "$out" && sha256sum engine.wasm prepare.wasm) | diff - <(grep '\.wasm$' prebuilt/engines.lock) && echo "the same bytes"
  exit
fi
{
  compilers | sed 's/^/# /'
  (cd prebuilt && sha256sum engine.wasm prepare.wasm)
  find . ../../wit -type f \( -name '*.rs' -o -name '*.js' -o -name '*.wit' -o -name Cargo.toml -o -name Cargo.lock -o -name build.sh \) \
    -not -path './target/*' | LC_ALL=C sort | xargs sha256sum
} > prebuilt/engines.lock
