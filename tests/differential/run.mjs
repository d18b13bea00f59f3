#!/usr/bin/env node
// Runs random workflow programs on Cloudflare's local engine and on pp-host, and compares how they end.
//
//   tests/differential/run.mjs [--programs N] [--seed N] [--one SEED] [--pp-host PATH] [--modules FOLDER]
//
// Needs miniflare, which run.sh installs; nothing is fetched when it runs. Each batch of programs runs three times: there, here, and here
// with the server killed (SIGKILL) again and again. Exits with 1 where anything differs, and prints the program.

import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { onCloudflare } from './cloudflare.mjs';
import { calls, differences } from './compare.mjs';
import { onThis } from './here.mjs';
import { chance, modules, program } from './programs.mjs';

const { values: given } = parseArgs({
  options: {
    programs: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    one: { type: 'string' },
    'pp-host': { type: 'string', default: 'target/debug/pp-host' },
    modules: { type: 'string', default: 'target/differential' },
  },
});

const BATCH = 50;
// Milliseconds that the last of a batch may take.
const PATIENCE = 120_000;
const { Miniflare } = createRequire(resolve(given.modules, 'package.json'))('miniflare');
const host = resolve(given['pp-host']);
const first = Number(given.one ?? given.seed), count = given.one ? 1 : Number(given.programs);

let differing = 0, undone = 0;
const folder = mkdtempSync(join(tmpdir(), 'pp-differential-'));
try {
  for (let from = 0; from < count; from += BATCH) {
    const programs = Array.from({ length: Math.min(BATCH, count - from) }, (_, at) => program(first + from + at));
    await batch(programs, join(folder, 'data'), from);
    console.log(`${from + programs.length} programs, ${undone} times a step was undone, ${differing} differ`);
  }
} catch (error) {
  console.error(error);
  process.exit(2);
} finally {
  // A server that was killed may still be on its way out.
  rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 });
}
process.exit(differing ? 1 : 0);

async function batch(programs, data, from) {
  const sources = modules(programs);
  const random = chance(programs[0].seed);
  // Each life of the server is longer than the last one: at the end, all programs end.
  const kills = (times) => 150 + random.below(250) + times * 100;
  const there = await onCloudflare(Miniflare, programs, sources, { patience: PATIENCE });
  const straight = await onThis(host, data, `straight-${from}-`, programs, sources, { patience: PATIENCE });
  const killed = await onThis(host, data, `killed-${from}-`, programs, sources, { patience: PATIENCE, kills });
  programs.forEach((program, number) => {
    const found = [
      ...differences(program, there[number], straight[number], { traces: true }).map((one) => ['straight', ...one]),
      // What a killed process had printed is gone with it.
      ...differences(program, there[number], killed[number], { traces: false }).map((one) => ['killed', ...one]),
      ...calls(straight[number], killed[number]).map((one) => ['killed', ...one]),
    ];
    undone += there[number].trace.filter(([word]) => word === 'undo').length;
    if (found.length) tell(program, found);
  });
}

function tell(program, found) {
  differing += 1;
  console.log(`\nprogram ${program.seed}, events ${JSON.stringify(program.events)}:\n${program.source}`);
  for (const [how, part, there, here] of found) {
    console.log(`${how}: ${part}\n  there ${JSON.stringify(there)?.slice(0, 400)}\n  here  ${JSON.stringify(here)?.slice(0, 400)}`);
  }
}
