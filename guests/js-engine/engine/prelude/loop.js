// The event loop: run until nothing is left to run, then make exactly one call to the host, in the order in which the workflow asked.
//
// A scope is the workflow itself, or the body of a step. While a body is open, only what was asked since it opened is begun or waited for: a
// body is opened when everything outside of it is at rest, so whatever runs meanwhile was caused by it.

import { SafeMap, SafeSet } from 'pp:primordials';
import { named, placeIn, toFailure } from 'pp:errors';

// What the engine offers: see native.rs.
let native;

// The innermost scope. The maps of a scope are made when something comes into them: most bodies of steps need none.
let scope;

export const CONFIGURED = -1;
export const NEVER = -2;

export function connect(natives) {
  native = natives;
}

// `first` and `last` are the ends of the queue: what was asked for and has not begun. `pending` has begun and has not ended.
function newScope(outer, entry, id) {
  return { __proto__: null, outer, entry, id, first: undefined, last: undefined, pending: undefined, unhandled: undefined, outcome: undefined };
}

// The workflow begins. `main` returns a promise of its result as JSON text.
export function begin(main) {
  scope = newScope(undefined, undefined, undefined);
  scope.unhandled = early;
  const root = scope;
  settle(root, main);
}

async function settle(root, main) {
  try {
    root.outcome = { __proto__: null, text: await main() };
  } catch (error) {
    root.outcome = { __proto__: null, error };
  }
}

export function isInsideStep() {
  return scope.entry !== undefined;
}

// Asks for something that the host does: `entry.begin` is called when its turn comes.
export function ask(entry) {
  if (!scope) throw named('OutsideWorkflowError', 'steps can be used while the workflow runs, and not outside of its run method');
  if (scope.first === undefined) scope.first = entry;
  else scope.last.next = entry;
  scope.last = entry;
  return entry.promise;
}

// Takes what was asked for first.
function next() {
  const entry = scope.first;
  if (entry !== undefined) scope.first = entry.next;
  return entry;
}

// Makes one call to the host, after which there may be something to run again. `true` when the workflow has ended.
export function turn() {
  if (scope.outcome) {
    if (!scope.entry) return true;
    close();
    return false;
  }
  const entry = next();
  if (entry) beginEntry(entry);
  else if (scope.pending?.size) tell(native.first());
  else stuck();
  return false;
}

function beginEntry(entry) {
  try {
    entry.begin(native);
  } catch (error) {
    entry.reject(error);
  }
}

// Something was begun and goes on: `entry.told` is called with its end.
export function goesOn(entry, id) {
  scope.pending ??= new SafeMap();
  scope.pending.set(id, entry);
}

function tell(ready) {
  const entry = scope.pending.get(ready.id);
  if (ready.kind === 'again') {
    openBody(entry, ready.id, ready.number);
    return;
  }
  scope.pending.delete(ready.id);
  try {
    entry.told(ready);
  } catch (error) {
    entry.reject(error);
  }
}

// Runs the body of a step, whose attempt the host has opened, up to its first wait.
export function openBody(entry, id, number) {
  scope = newScope(scope, entry, id);
  attempt(scope, entry, number);
}

async function attempt(body, entry, number) {
  try {
    const text = entry.write(await entry.body(number));
    body.outcome ??= { __proto__: null, text };
  } catch (error) {
    const retry = await entry.retry(error, number);
    body.outcome ??= { __proto__: null, error, retry };
  }
}

// Reports the end of the innermost body.
function close() {
  const body = scope, { outcome, entry, id } = body;
  const mistake = forgotten(body) ?? unhandled(body);
  scope = body.outer;
  const error = mistake ?? outcome.error;
  if (mistake || 'error' in outcome) {
    const failure = toFailure(error);
    native.fail(id, failure.name, failure.message, mistake ? NEVER : outcome.retry);
    return;
  }
  try {
    native.complete(id, outcome.text);
  } catch (refused) {
    // The step has failed on record; the host says so when it is asked.
    entry.refused = refused;
  }
}

function stuck() {
  const { entry } = scope;
  const where = entry ? `the body of step "${entry.name}"` : 'the workflow';
  const place = atPlace(entry?.stack);
  const error = named('NeverSettlesError', `${where} waits for a promise that can never settle: nothing is left that could settle it${place}`);
  scope.outcome = { __proto__: null, error, retry: NEVER };
}

// A step that was asked for, and the work ended before it was begun: nobody awaited it.
function forgotten(ended) {
  return ended.first && neverAwaited(ended.first);
}

function neverAwaited(entry) {
  const place = atPlace(entry.stack);
  return named('NeverAwaitedError', `${entry.what} was never awaited: write await before it, or return its promise${place}`);
}

function atPlace(stack) {
  const place = placeIn(stack);
  return place && ` (at ${place})`;
}

function unhandled(ended) {
  let first;
  ended.unhandled?.forEach((reason) => (first ??= { reason }));
  return first?.reason;
}

const rejections = new SafeSet();

// Rejections while modules are evaluated, before the workflow begins.
const early = new SafeMap();

// Told by the engine of a promise that was rejected with nothing to handle it, and of one that is handled after all.
export function rejected(promise, reason, isHandled) {
  if (probing) rejections.add(promise);
  else if (isHandled) forgive(promise);
  else unhandledIn(scope).set(promise, reason);
}

function unhandledIn(scope) {
  return scope ? (scope.unhandled ??= new SafeMap()) : early;
}

function forgive(promise) {
  early.delete(promise);
  for (let one = scope; one; one = one.outer) one.unhandled?.delete(promise);
}

let probing = false;

// The end of the workflow: its result, or what it failed with. A mistake that was not noticed so far is one now.
export function end() {
  const { outcome } = scope;
  if ('error' in outcome) return { __proto__: null, failure: toFailure(outcome.error) };
  const mistake = forgotten(scope) ?? unhandled(scope) ?? abandoned();
  if (mistake) return { __proto__: null, failure: toFailure(mistake) };
  return { __proto__: null, text: outcome.text };
}

// Something still goes on: where somebody waited for it, as for the loser of a race, that is how it is meant. Nothing runs after this, so a
// rejection is only a way of asking whether anything would hear of it.
function abandoned() {
  let found;
  probing = true;
  scope.pending?.forEach((entry) => {
    entry.reject(undefined);
    if (hasNobody(entry.promise)) found ??= entry;
  });
  probing = false;
  return found && neverAwaited(found);
}

function hasNobody(promise) {
  return rejections.delete(promise);
}
