import assert from 'node:assert';
import { test } from 'node:test';
import { differences } from './compare.mjs';
import { traced } from './printed.mjs';
import { program } from './programs.mjs';

const drive = '[drive of 2026-01-01T00:00:00.000Z]';
const said = (...words) => `trace ${JSON.stringify([words, words.at(-1)])}`;

test('the same attempt at the end of a drive and at the beginning of the next is one', () => {
  assert.deepEqual(traced([drive, said('quick', 'a', 1, 1), drive, said('quick', 'a', 1, 1)]), [['quick', 'a', 1, 1]]);
});

test('the same attempt within a drive is two', () => {
  assert.equal(traced([drive, said('quick', 'a', 1, 1), said('quick', 'a', 1, 1)]).length, 2);
});

test('attempts of two steps are two, also where a drive lies between them', () => {
  const lines = [drive, said('fails', 'ship', 1, 2), drive, said('fails', 'step', 1, 2)];
  assert.deepEqual(traced(lines), [['fails', 'ship', 1, 2], ['fails', 'step', 1, 2]]);
});

test('a rollback that is tried again prints the same line, and counts twice', () => {
  const undo = (attempt) => `trace ${JSON.stringify([['undo', 'a-1'], attempt])}`;
  assert.deepEqual(traced([drive, undo(1), drive, undo(2)]), [['undo', 'a-1'], ['undo', 'a-1']]);
});

test('every line that a program prints names its step', () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    for (const [line] of program(seed).source.matchAll(/trace\(.*?;/g)) assert.match(line, /ctx\.step\.name, ctx\.step\.count, .*\], ctx\.attempt\);$/);
  }
});

test('an order of rollbacks is compared also where the order of bodies is none', () => {
  const end = (...names) => ({ status: 'errored', error: { name: 'Error', message: '' }, failure: { name: 'Error', message: '' }, trace: names.map((name) => ['undo', name]) });
  const found = (here) => differences({ ordered: false }, end('b', 'a'), end(...here), { traces: true }).length;
  assert.deepEqual([found(['b', 'a']), found(['a', 'b'])], [0, 1]);
});
