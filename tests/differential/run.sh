#!/usr/bin/env bash
# Runs random workflow programs on Cloudflare's local engine (miniflare) and on pp-host, and compares how they end: see run.mjs, whose
# arguments this takes. Installs miniflare where it is missing; after that nothing is fetched.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools=${PP_DIFFERENTIAL:-$PWD/target/differential}
mkdir -p "$tools"
cp tests/differential/package.json "$tools"
[ -d "$tools/node_modules/miniflare" ] || npm install --silent --no-audit --no-fund --no-package-lock --prefix "$tools"
exec node tests/differential/run.mjs --modules "$tools" "$@"
