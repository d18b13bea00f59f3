// The beginning and the end of a workflow.

import { Date_, ObjectFreeze, ObjectKeys, Parse } from 'pp:primordials';
import { findPositionsWith, listed, named, toFailure } from 'pp:errors';
import { begin, connect, end, rejected, turn, waitUntil, waited } from 'pp:loop';
import { connectAuthority, env } from 'pp:authority';
import { step } from 'pp:step';
import { undo } from 'pp:rollback';
import { toJson } from 'pp:json';
import { WorkflowEntrypoint } from 'cloudflare:workers';
import 'cloudflare:workflows';
import { installGlobals } from 'pp:globals';

// Called once, before the snapshot: what the engine offers comes in, and the functions that the engine calls go out.
globalThis.connectEngine = (native) => {
  connect(native);
  connectAuthority(native);
  findPositionsWith(native.position);
  installGlobals(native);
  delete globalThis.connectEngine;
  return { __proto__: null, belongTo, start, turn, end, rejected, failure };
};

// Called before the main module is evaluated, which may use `env`.
function belongTo(tenant) {
  env.TENANT_ID = tenant;
  ObjectFreeze(env);
}

// The main module has been evaluated: runs its workflow.
function start(exports, className, payload, timestamp, instanceId, workflowName) {
  const Class = chosen(exports, className);
  begin(async () => {
    const event = { payload: Parse(payload), timestamp: new Date_(timestamp), instanceId, workflowName };
    const ctx = { waitUntil, passThroughOnException() {}, props: {} };
    const result = await new Class(ctx, env).run(event, step);
    await waited();
    // A text: on its way through a promise, an object would meet what the workflow has made of prototypes.
    return toJson(result, "the workflow's result");
  }, undo);
}

// The class to run: the one that is named, or the only one that extends WorkflowEntrypoint.
function chosen(exports, className) {
  if (className !== undefined) {
    const named_ = exports[className];
    if (typeof named_ === 'function') return named_;
    throw named('NoWorkflowError', `the main module exports no class ${className}; it exports ${listed(ObjectKeys(exports))}`);
  }
  let found, names = '';
  const keys = ObjectKeys(exports);
  for (let index = 0; index < keys.length; index += 1) {
    const one = exports[keys[index]];
    if (!isWorkflow(one) || one === found || isExtended(one, exports, keys)) continue;
    names += names ? `, ${keys[index]}` : keys[index];
    found = found === undefined ? one : null;
  }
  if (found) return found;
  if (found === null) throw named('NoWorkflowError', `the main module exports several workflows (${names}): say which with --class NAME, or in wrangler.jsonc`);
  throw named('NoWorkflowError', `the main module exports no class that extends WorkflowEntrypoint; it exports ${listed(keys)}`);
}

function isWorkflow(value) {
  return typeof value === 'function' && value.prototype instanceof WorkflowEntrypoint;
}

// Whether another exported workflow extends this one, which is then only what they have in common.
function isExtended(Class, exports, keys) {
  for (let index = 0; index < keys.length; index += 1) {
    const other = exports[keys[index]];
    if (isWorkflow(other) && other.prototype instanceof Class) return true;
  }
  return false;
}

// What is recorded of something that was thrown outside of the workflow's run method.
function failure(error) {
  return toFailure(error);
}
