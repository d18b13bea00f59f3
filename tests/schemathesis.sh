#!/usr/bin/env bash
# Fuzzes the API of a built pp-host by its own OpenAPI document: no answer 5xx, none that the document does not have. Usage:
#   tests/schemathesis.sh PP_HOST [CASES]
# Needs python3 with `pip install schemathesis` (SCHEMATHESIS names another program), and curl.
set -euo pipefail
cd "$(dirname "$0")/.."
pp_host=$(realpath "$1")
cases=${2:-20}
data=$(mktemp -d)
"$pp_host" --data "$data" serve --listen 127.0.0.1:0 --limit http-token-requests=1000000 --limit instances=100000 2> "$data.log" > /dev/null &
server=$!
trap 'kill "$server"; wait "$server" || true; rm -rf "$data" "$data.log"' EXIT
until url=$(grep -oE 'http://localhost:[0-9]+$' "$data.log"); do
  kill -0 "$server"
done
scopes=instances:read,instances:write,events:send,approvals:read,approvals:write,receipts:read,operate
token=$("$pp_host" --data "$data" tokens create --tenant acme --expires 1d --scope "$scopes" 2> /dev/null)
auth="Authorization: Bearer $token"
# Something to find.
workflow=$(curl -fsS -H "$auth" --data-binary @tests/guests/tenant-workflow.wasm "$url/v1/workflows" | python3 -c 'import json, sys; print(json.load(sys.stdin)["workflow"])')
curl -fsS -H "$auth" --json "{\"workflow\":\"$workflow\",\"id\":\"nightly-1\"}" "$url/v1/instances" > /dev/null
"${SCHEMATHESIS:-schemathesis}" run "$url/openapi.json" -H "$auth" --phases coverage,fuzzing -n "$cases" --generation-deterministic \
  --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,unsupported_method,negative_data_rejection \
  --exclude-path-regex 'events$' --continue-on-failure --no-color --request-timeout 60 --warnings off
