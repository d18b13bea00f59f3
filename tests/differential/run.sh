#!/usr/bin/env bash
# Runs random workflow programs on Cloudflare's local engine (miniflare) and on pp-host, and compares how they end: see run.mjs, whose
# arguments this takes. Installs miniflare where its version is not the one of package.json; after that nothing is fetched.
#
# The versions whose packages are content with Node.js 20 (up to 4.20260426.0) have no rollbacks. This one has, and its package asks for
# Node.js 22: npm warns, and Node.js 20 runs it.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools=${PP_DIFFERENTIAL:-$PWD/target/differential}
mkdir -p "$tools"
cp tests/differential/package.json "$tools"
version() { node -p "require('$1').$2" 2> /dev/null || true; }
if [ "$(version "$tools/node_modules/miniflare/package.json" version)" != "$(version "$tools/package.json" dependencies.miniflare)" ]; then
  npm install --silent --no-audit --no-fund --no-package-lock --prefix "$tools"
fi
node --test --test-reporter=dot tests/differential/printed.test.mjs
exec node tests/differential/run.mjs --modules "$tools" "$@"
