#!/usr/bin/env node
// Times how long Cloudflare's local runtime takes to load source text that it has not seen, and to answer one request with it: the counterpart of
// `cargo bench -p bench --bench scripts`. Prints the median of seven rounds, in milliseconds for each load.
//
//   tests/differential/load.mjs [--modules FOLDER]
//
// Needs miniflare, which run.sh installs.

import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

const { values: given } = parseArgs({ options: { modules: { type: 'string', default: 'target/differential' } } });
const { Miniflare } = createRequire(resolve(given.modules, 'package.json'))('miniflare');
const ROUNDS = 7;

const LOADER = `
export default {
  async fetch(request, env) {
    const { source, loads, seed } = await request.json();
    for (let number = 0; number < loads; number += 1) {
      const id = seed + '-' + number;
      const worker = env.LOADER.get(id, () => ({
        compatibilityDate: '2026-04-01', mainModule: 'w.js', modules: { 'w.js': source + '\\n// ' + id }, env: {},
      }));
      const answer = await worker.getEntrypoint().fetch('http://worker/');
      if ((await answer.text()) !== 'here') throw new Error('the worker does not answer');
    }
    return new Response('done');
  },
};
`;

/** The functions that the benchmark here adds, without their types. */
function filler(length) {
  let text = '';
  for (let number = 0; text.length < length; number += 1) {
    text += `function f${number}(a, list) { const out = []; for (const one of list) { if (one.length > a) out.push(\`\${one}-${number}\`); else out.unshift(one); } return { a, out, when: ${number} }; }\n`;
  }
  return text;
}

const runtime = new Miniflare({
  modules: [{ type: 'ESModule', path: 'loader.js', contents: LOADER }],
  compatibilityDate: '2026-04-01',
  workerLoaders: { LOADER: {} },
});
let seed = 0;

async function round(source, loads) {
  seed += 1;
  const began = performance.now();
  const answer = await runtime.dispatchFetch('http://host/', { method: 'POST', body: JSON.stringify({ source, loads, seed: `${seed}` }) });
  if ((await answer.text()) !== 'done') throw new Error('the runtime does not load the source');
  return (performance.now() - began) / loads;
}

try {
  for (const [what, length, loads] of [['a small worker', 0, 40], ['and 50 kB more', 50_000, 20], ['and 500 kB more', 500_000, 5]]) {
    const source = `export default { async fetch() { return new Response('here'); } }\n${filler(length)}`;
    await round(source, 2);
    const times = [];
    for (let number = 0; number < ROUNDS; number += 1) times.push(await round(source, loads));
    times.sort((a, b) => a - b);
    console.log(`${what.padEnd(20)} min ${times[0].toFixed(2)} ms   median ${times[ROUNDS >> 1].toFixed(2)} ms`);
  }
} finally {
  await runtime.dispose();
}
