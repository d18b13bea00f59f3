#!/usr/bin/env node
// Runs the tests of test262 for what the engine's prelude replaces or wraps, each in an instance of its own, and compares what fails with
// test262.known.json.
//
//   tests/scripts/conformance/test262.mjs --test262 FOLDER [--pp-host PATH] [--suite FOLDER]
//
// FOLDER is a checkout of https://github.com/tc39/test262; the list is that of commit be13516fb6. Exits with 1 where another test fails than the
// list says, or one of the list passes. `Function` and `eval` are replaced too, but by functions that refuse all text.
//
// --suite keeps the modules that are run. Another engine of modules passes one of `t*.js` there where the default export is undefined, or a promise
// that is fulfilled.

import { execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs, promisify } from 'node:util';

const FOLDERS = [
  'built-ins/Promise', 'built-ins/AggregateError', 'built-ins/AsyncFunction', 'built-ins/AsyncFromSyncIteratorPrototype', 'built-ins/AsyncGeneratorPrototype',
  'built-ins/Date', 'built-ins/Math/random', 'built-ins/JSON', 'built-ins/Error', 'built-ins/NativeErrors', 'language/expressions/await',
  'language/statements/async-function',
];

// Tests in a bundle.
const PART = 200;

// Every module is strict and has no second realm, and QuickJS has no Promise.allKeyed.
const isFor = ({ flags, negative, text }) => !negative && !/\$262|await-dictionary/.test(text) && !flags.some((flag) => ['noStrict', 'raw', 'module'].includes(flag));

const PRINT = `let done;
export const settled = new Promise((yes, no) => { done = (line) => (line === 'Test262:AsyncTestComplete' ? yes() : no(new Error(line))); });
globalThis.print = done;
`;

const { values: given } = parseArgs({
  options: { test262: { type: 'string' }, 'pp-host': { type: 'string', default: 'target/debug/pp-host' }, suite: { type: 'string' } },
});
const run = promisify(execFile);
const host = resolve(given['pp-host']);
const room = mkdtempSync(join(tmpdir(), 'pp-test262-'));
try {
  process.exitCode = await main(given.suite ? resolve(given.suite) : join(room, 'suite'));
} finally {
  rmSync(room, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 });
}

async function main(suite) {
  const failed = {};
  const tests = FOLDERS.flatMap(testsIn);
  for (let from = 0; from < tests.length; from += PART) {
    const part = tests.slice(from, from + PART);
    const modules = join(suite, `part-${from}`);
    write(modules, part);
    for (const [name, why] of await failures(modules, part, `p${from}-`)) failed[name] = why;
  }
  return compare(failed, tests.length);
}

function compare(failed, count) {
  const known = JSON.parse(readFileSync(new URL('test262.known.json', import.meta.url), 'utf8'));
  const listed = new Map(Object.entries(known).flatMap(([why, names]) => names.map((name) => [name, why])));
  const fresh = Object.entries(failed).filter(([name]) => !listed.has(name));
  const gone = [...listed.keys()].filter((name) => !(name in failed));
  for (const [name, why] of fresh) console.log(`fails: ${name}: ${why}`);
  for (const name of gone) console.log(`passes, and is listed: ${name}`);
  console.log(`${count} tests of test262, ${Object.keys(failed).length} fail, of which ${Object.keys(failed).length - fresh.length} are listed`);
  return fresh.length || gone.length ? 1 : 0;
}

function testsIn(folder) {
  const under = join(given.test262, 'test', folder);
  const files = readdirSync(under, { recursive: true }).filter((file) => file.endsWith('.js') && !file.endsWith('_FIXTURE.js')).sort();
  return files.map((file) => ({ name: `${folder}/${file}`, ...described(readFileSync(join(under, file), 'utf8')) })).filter(isFor);
}

// What the comment at the beginning of a test says of it.
function described(text) {
  const said = /\/\*---([^]*?)---\*\//.exec(text)?.[1] ?? '';
  const list = (key) => {
    const [, inline, lines] = new RegExp(`^${key}:(?: *\\[([^\\]]*)\\]|((?:\\s+- .*)+))`, 'm').exec(said) ?? [];
    return (inline?.split(',') ?? lines?.split('\n').map((line) => line.replace(/^\s*- |\s*#.*/g, '')) ?? []).map((word) => word.trim()).filter(Boolean);
  };
  return { text, flags: list('flags'), includes: list('includes'), defines: list('defines'), negative: /^negative:/m.test(said) };
}

// The modules of a folder: each test, what it includes, and one that imports both.
function write(modules, tests) {
  mkdirSync(modules, { recursive: true });
  const put = (name, text) => writeFileSync(join(modules, name), text);
  const included = new Set();
  const include = (name) => {
    if (!included.has(name)) put(`harness-${name}`, harness(name));
    included.add(name);
    return `import './harness-${name}';`;
  };
  put('print.js', PRINT);
  for (const [number, { text, flags, includes }] of tests.entries()) {
    const isAsync = flags.includes('async');
    const all = ['assert.js', 'sta.js', ...(isAsync ? ['doneprintHandle.js'] : []), ...includes];
    put(`test-${number}.js`, text);
    put(`t${number}.js`, `import { settled } from './print.js';\n${all.map(include).join('\n')}\nimport './test-${number}.js';\nexport default ${isAsync ? 'settled' : 'undefined'};\n`);
  }
}

// The workflow, which runs the test that its parameters name.
function writeMain(modules, numbers) {
  const table = numbers.map((number) => `${number}: () => import('./t${number}.js'),`).join('\n');
  writeFileSync(join(modules, 'main.js'), `import { WorkflowEntrypoint } from 'cloudflare:workers';
const tests = {
${table}
};
export class Workflow extends WorkflowEntrypoint {
  async run(event) {
    await (await tests[event.payload.number]()).default;
    console.log('passed');
  }
}
`);
}

// A script's functions are global. A module's are made so.
function harness(name) {
  const { text, defines } = described(readFileSync(join(given.test262, 'harness', name), 'utf8'));
  const names = [...defines, ...(name === 'sta.js' ? ['$DONOTEVALUATE'] : [])].filter((one) => !one.includes('.'));
  return `${text}\nfor (const [name, value] of Object.entries({ ${[...new Set(names)].join(', ')} })) Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });\n`;
}

async function failures(modules, tests, prefix) {
  const data = join(room, 'data');
  const call = (...words) => run(host, ['--data', data, ...words], { maxBuffer: 1 << 26 });
  const failed = [], { numbers, refused } = await loadable(call, modules, tests);
  for (const [number, why] of refused) failed.push([tests[number].name, why]);
  for (const number of numbers) await call('submit', join(modules, 'main.js'), '--id', `${prefix}${number}`, '--params', JSON.stringify({ number }));
  const server = spawn(host, ['--data', data, 'work'], { stdio: 'ignore' });
  const ended = await allEnded(call, prefix, numbers.length);
  server.kill('SIGTERM');
  await new Promise((done) => server.on('exit', done));
  for (const number of numbers) {
    const instance = `${prefix}${number}`;
    if (ended.get(instance) === 'complete') continue;
    // A rejection that a test leaves unhandled fails the workflow after the test has passed.
    if ((await call('logs', instance)).stdout.includes('passed')) continue;
    const { failure } = JSON.parse((await call('instances', 'show', instance, '--json')).stdout);
    failed.push([tests[number].name, `${failure?.name}: ${failure?.message}`]);
  }
  return failed;
}

// Leaves out the tests whose source is refused: one refusal is that of the whole bundle.
async function loadable(call, modules, tests) {
  const refused = new Map();
  for (;;) {
    const numbers = [...tests.keys()].filter((number) => !refused.has(number));
    writeMain(modules, numbers);
    try {
      await call('inspect', join(modules, 'main.js'));
      return { numbers, refused };
    } catch ({ stdout, stderr }) {
      const [why, number] = /test-(\d+)\.js:.*/.exec(stdout) ?? [stdout + stderr];
      if (number === undefined) throw new Error(why);
      refused.set(Number(number), why);
    }
  }
}

async function allEnded(call, prefix, count) {
  for (;;) {
    const { stdout } = await call('instances', 'list', '--json', '--limit', '1000');
    const shown = stdout.trim().split('\n').map((line) => JSON.parse(line)).filter(({ instance }) => instance.startsWith(prefix));
    const ended = shown.filter(({ status }) => ['complete', 'errored', 'terminated'].includes(status));
    if (ended.length === count) return new Map(ended.map(({ instance, status }) => [instance, status]));
    await new Promise((done) => setTimeout(done, 500));
  }
}
