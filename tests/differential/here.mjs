// The programs on pp-host: a server that drives them, straight or killed again and again.

import { execFile, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TRACE, traced } from './printed.mjs';

const run = promisify(execFile);

/**
 * Runs all of them at once in a data folder, under ids that begin with `prefix`, and says how each ended: `{ status, output, failure, trace }`.
 * `kills` says after how many milliseconds the server is killed, each time it was started.
 */
export async function onThis(host, data, prefix, programs, sources, { patience, kills }) {
  const source = join(data, '..', 'source', prefix);
  mkdirSync(source, { recursive: true });
  for (const [name, text] of Object.entries({ ...sources, 'trace.js': TRACE })) writeFileSync(join(source, name), text);
  const call = (...words) => run(host, ['--data', data, ...words], { maxBuffer: 1 << 26 });
  await call('submit', join(source, 'workflow.js'), '--id', `${prefix}0`, '--params', '{"number":0}');
  // One after the other: a command that owns the folder for a moment is no server for the next.
  await pool(programs.slice(1), 1, (_, at) => {
    return call('submit', join(source, 'workflow.js'), '--id', `${prefix}${at + 1}`, '--params', JSON.stringify({ number: at + 1 }));
  });
  const send = (early) => pool(programs, early ? 1 : 4, async ({ events }, number) => {
    for (const event of events.filter((event) => event.early === early)) {
      // The event is too late: the instance has ended.
      await sent(call, `${prefix}${number}`, event);
    }
  });
  await send(true);
  const server = keepAlive(host, data, kills);
  try {
    await pause(700);
    await server.steady(() => send(false));
    await allEnded(call, prefix, programs.length, patience);
  } finally {
    await server.stop();
  }
  const ends = [];
  await pool(programs, 4, async (_, number) => { ends[number] = await end(call, `${prefix}${number}`); });
  return ends;
}

async function sent(call, instance, { type, payload }) {
  for (let tries = 0; ; tries += 1) {
    try {
      return await call('instances', 'send-event', instance, type, '--payload', JSON.stringify(payload));
    } catch (error) {
      // The event is too late: the instance has ended.
      if (error.stderr.includes('and accepts no')) return;
      // The server was killed meanwhile. Each event has a type of its own, so one that comes twice is taken once.
      if (tries === 5 || !error.stderr.includes('did not answer')) throw error;
    }
  }
}

/** A server that is started again whenever it was killed. */
function keepAlive(host, data, kills) {
  let child, stopped = false, calm = !kills, timer, times = 0;
  const begin = () => {
    child = spawn(host, ['--data', data, 'work'], { stdio: 'ignore' });
    const one = child;
    one.ended = new Promise((done) => one.on('exit', done));
    if (kills && !calm) timer = setTimeout(() => one.kill('SIGKILL'), kills(times++));
    one.ended.then(() => { if (!stopped) begin(); });
  };
  begin();
  return {
    // A command that reaches a server in the moment in which it is killed fails; nothing is killed meanwhile.
    async steady(work) {
      calm = true;
      clearTimeout(timer);
      await work();
      calm = !kills;
      if (kills) child.kill('SIGKILL');
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      child.kill('SIGTERM');
      await child.ended;
    },
  };
}

async function allEnded(call, prefix, count, patience) {
  for (let waited = 0; waited < patience; waited += 1000) {
    const seen = await call('instances', 'list', '--json').catch(() => ({ stdout: '' }));
    const ended = seen.stdout.trim().split('\n').filter((line) => line.includes(`"instance":"${prefix}`) && /"status":"(complete|errored|terminated)"/.test(line));
    if (ended.length >= count) return;
    await pause(1000);
  }
}

async function end(call, instance) {
  const shown = JSON.parse((await call('instances', 'show', instance, '--json')).stdout);
  const { stdout } = await call('logs', instance);
  return { ...shown, trace: traced(stdout.split('\n')) };
}

async function pool(list, width, work) {
  let next = 0;
  const worker = async () => {
    while (next < list.length) {
      const at = next++;
      await work(list[at], at);
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));
