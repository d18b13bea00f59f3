// The event loop: run until nothing is left to run, then make exactly one call to the host, in the order in which the workflow asked.
//
// A scope is the workflow itself, or the body of a step. While a body is open, only what was asked since it opened is begun or waited for: a
// body is opened when everything outside of it is at rest, so whatever runs meanwhile was caused by it.

import { Queue, SafeMap, SafeSet } from 'pp:primordials';
import { named, placeIn, placedAt, toFailure } from 'pp:errors';

// What the engine offers: see native.rs.
let native;

// Undoes what the workflow did before it failed: see rollback.js.
let undo;

// The innermost scope, and that of the workflow. The maps of a scope are made when something comes into them: most bodies of steps need none.
let scope, root;

export const CONFIGURED = -1;
export const NEVER = -2;

export function connect(natives) {
  native = natives;
}

// `first` and `last` are the ends of the queue: what was asked for and has not begun. `pending` has begun and has not ended.
function newScope(outer, entry, id) {
  return { __proto__: null, outer, entry, id, first: undefined, last: undefined, pending: undefined, unhandled: undefined, waits: undefined, outcome: undefined, undoes: false };
}

// The workflow begins. `main` returns a promise of its result as JSON text; `rollback` takes the error that the workflow fails with.
export function begin(main, rollback) {
  root = newScope(undefined, undefined, undefined);
  root.unhandled = early;
  scope = root;
  undo = rollback;
  settle(main);
}

async function settle(main) {
  let outcome;
  try {
    outcome = { __proto__: null, text: await main() };
  } catch (error) {
    outcome = { __proto__: null, error };
  }
  // It may have failed before: a workflow that is stuck can go on when a rollback settles what it waits for.
  if (failure) return;
  if ('error' in outcome) fail(outcome.error);
  else root.outcome = outcome;
}

// What the workflow has failed with: its outcome once its steps are undone.
let failure;

async function fail(error) {
  failure = { __proto__: null, error };
  root.outcome = undefined;
  await undo(error);
  root.outcome = failure;
}

export function isInsideStep() {
  return scope.entry !== undefined;
}

export function currentScope() {
  return scope;
}

// Takes a promise of `ctx.waitUntil`: the body of a step, or the workflow, ends after it. As on Cloudflare, a rejection is ignored.
export function waitUntil(promise) {
  (scope.waits ??= new Queue()).push(quiet(promise));
}

async function quiet(promise) {
  try {
    await promise;
  } catch {
    // The workflow does not depend on it.
  }
}

// Waits for the promises that a scope, by default the workflow's, got by `waitUntil`.
export async function waited(asking = root) {
  for (let link = asking.waits?.first; link; link = link.next) await link.value;
}

// Whether the body of a step, or the workflow, still runs.
export function isOpen(asked) {
  for (let one = scope; one; one = one.outer) if (one === asked) return true;
  return false;
}

// Asks for something that the host does: `entry.begin` is called when its turn comes.
export function ask(entry) {
  if (!scope || probing) throw named('OutsideWorkflowError', 'steps can be used while the workflow runs, and not outside of its run method');
  if (scope.undoes) throw named('RollbackError', `${entry.what}: the workflow has failed and undoes its steps, so it begins no others`);
  return enqueue(scope, entry);
}

function enqueue(asking, entry) {
  if (asking.first === undefined) asking.first = entry;
  else asking.last.next = entry;
  asking.last = entry;
  return entry.promise;
}

// The workflow has failed: what it asked for and was not begun is left out, and from here on only rollbacks are begun.
export function beginUndoing() {
  root.first = undefined;
  root.last = undefined;
  root.undoes = true;
}

export function askToUndo(entry) {
  return enqueue(root, entry);
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
    if (!scope.entry) return hasEnded();
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
    entry.reject(placedAt(error, entry.stack));
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
    entry.reject(placedAt(error, entry.stack));
  }
}

// Runs the body of a step, whose attempt the host has opened, up to its first wait.
export function openBody(entry, id, number) {
  scope = newScope(scope, entry, id);
  attempt(scope, entry, number);
}

async function attempt(body, entry, number) {
  try {
    const value = await entry.body(number);
    if (body.waits) await waited(body);
    const text = entry.write(value);
    body.outcome ??= { __proto__: null, text };
  } catch (error) {
    const retry = await entry.retry(error, number);
    body.outcome ??= { __proto__: null, error, retry };
  }
}

// Reports the end of the innermost body.
function close() {
  const body = scope, { outcome, entry, id } = body;
  const failed = 'error' in outcome;
  // What the body threw says more than what it left behind because of that.
  const mistake = failed ? undefined : forgotten(body) ?? unhandled(body);
  scope = body.outer;
  if (failed || mistake) {
    const { name, message } = toFailure(placedAt(mistake ? mistake.error : outcome.error, entry.stack));
    native.fail(id, name, message, mistake ? NEVER : outcome.retry);
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
  const why = outsideGoesOn() ? 'something that was begun outside of it: await that before the step' : 'a promise that can never settle: nothing is left that could settle it';
  const { error } = unhandled(scope) ?? { error: named('NeverSettlesError', `${where} waits for ${why}${atPlace(entry?.stack)}`) };
  if (entry) scope.outcome = { __proto__: null, error, retry: NEVER };
  else if (failure) root.outcome = failure;
  else fail(error);
}

// Whether something outside of the innermost body has not ended. While a body is open, it cannot.
function outsideGoesOn() {
  for (let one = scope.outer; one; one = one.outer) if (one.first || one.pending?.size) return true;
  return false;
}

// A step that a body asked for, and the body ended before it was begun.
function forgotten(ended) {
  return ended.first && { __proto__: null, error: neverAwaited(ended.first) };
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
  ended.unhandled?.forEach((error) => (first ??= { __proto__: null, error }));
  return first;
}

// Rejections while modules are evaluated, before the workflow begins.
const early = new SafeMap();

// Told by the engine of a promise that was rejected with nothing to handle it, and of one that is handled after all.
export function rejected(promise, reason, isHandled) {
  if (probing) {
    if (isHandled) lost.delete(promise);
    else lost.set(promise, probes.has(reason) ? reason : firstProbe);
  } else if (isHandled) forgive(promise);
  else unhandledIn(scope).set(promise, reason);
}

function unhandledIn(scope) {
  return scope ? (scope.unhandled ??= new SafeMap()) : early;
}

// A body handles rejections of its own scope only: a later drive skips the body, and would find an outer rejection unhandled.
function forgive(promise) {
  if (scope) scope.unhandled?.delete(promise);
  else early.delete(promise);
}

// Whether the workflow has ended. A mistake that was not noticed so far is one now: the workflow fails with it, and undoes its steps.
function hasEnded() {
  if (failure) return true;
  let mistake = unhandled(root);
  if (!mistake && !probing && (root.first || root.pending?.size)) {
    probe();
    return false;
  }
  probing = false;
  lost.forEach((error) => (mistake ??= { __proto__: null, error }));
  if (mistake) fail(mistake.error);
  return !mistake;
}

// The workflow has its result, and some of its calls have not begun or have not ended. The probe rejects their promises and runs the jobs. If a
// rejection stays unhandled, nothing awaits that call, or only a function that nothing awaits: a mistake. The loser of a race is handled.
let probing = false;
const probes = new SafeSet();
let firstProbe;
const lost = new SafeMap();

export function isProbing() {
  return probing;
}

function probe() {
  probing = true;
  for (let entry = root.first; entry; entry = entry.next) probeEntry(entry);
  root.pending?.forEach(probeEntry);
}

function probeEntry(entry) {
  const error = neverAwaited(entry);
  firstProbe ??= error;
  probes.add(error);
  entry.reject(error);
}

// The end of the workflow: its result, or what it failed with.
export function end() {
  const { outcome } = root;
  if ('error' in outcome) return { __proto__: null, failure: toFailure(outcome.error) };
  return { __proto__: null, text: outcome.text };
}
