#!/usr/bin/env bash
# Checks the types with TypeScript: the template, the upstream example, and that absent APIs are errors. Needs `tsc`, or npx and a network.
set -euo pipefail
cd "$(dirname "$0")"
tsc=${TSC:-npx --yes -p typescript@5 tsc}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
run() {
  printf '{"compilerOptions":{"noEmit":true,"strict":true,"target":"es2022","module":"es2022","moduleResolution":"bundler","lib":["es2024"],"types":[]},"files":["%s","%s"]}' \
    "$PWD/index.d.ts" "$(realpath "$1")" > "$work/tsconfig.json"
  $tsc -p "$work/tsconfig.json"
}
run template/src/index.ts
run ../../examples/tenant-workflow.ts
cat > "$work/good.ts" <<'END'
import { DurableObject, WorkflowEntrypoint, type WorkflowEvent, type WorkflowStep } from 'cloudflare:workers';

export class Counter extends DurableObject {}

export class All extends WorkflowEntrypoint {
  async run(_: WorkflowEvent<unknown>, step: WorkflowStep) {
    console.group('all'), console.table([1]), console.time('t');
    this.ctx.passThroughOnException();
    const target = new EventTarget();
    target.addEventListener('done', (event) => console.log(event.type), { once: true });
    target.dispatchEvent(new Event('done'));
    const signal: EventTarget = new AbortController().signal;
    try {
      structuredClone(() => signal);
    } catch (error) {
      if (error instanceof DOMException) return [error.name, error.code, self.navigator.userAgent];
    }
    return step.do('nothing', () => undefined);
  }
}
END
run "$work/good.ts"
for bad in 'fetch("https://example.com")' 'setTimeout(() => {}, 1)' 'process.env' 'new WebSocket("x")'; do
  echo "export const bad = $bad;" > "$work/bad.ts"
  if run "$work/bad.ts" > /dev/null; then echo "$bad is not an error" >&2; exit 1; fi
done
echo "the types hold"
