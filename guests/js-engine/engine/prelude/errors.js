// Errors: those that the engine makes, and how they cross to the host and back.

import {
  CaptureStack, Error_, IsArray, SafeWeakMap, SetStackLines, StackLines, TypeError_, RangeError_, SyntaxError_, ReferenceError_, EvalError_, URIError_,
  ObjectDefine, RegExpExec, String_, StringEndsWith, StringSlice, StringWellFormed,
} from 'pp:primordials';

// Set by the engine: finds the first place in a stack that lies in the workflow's own modules, as `file:line:column`.
let positionIn = () => '';

export function findPositionsWith(find) {
  positionIn = find;
}

// An error with a name of its own, which a workflow can look at.
export function named(name, message, more) {
  const error = new Error_(message);
  define(error, 'name', name);
  for (const key in more) define(error, key, more[key]);
  return error;
}

export function define(object, key, value) {
  ObjectDefine(object, key, { __proto__: null, value, writable: true, enumerable: false, configurable: true });
}

export class NonRetryableError extends Error_ {
  constructor(message, name = 'NonRetryableError') {
    super(message);
    define(this, 'name', String_(name));
  }
}

// The request for an action was denied, withdrawn, or not decided in time.
export function refusal(name, message, more) {
  return named(name, message, more);
}

const BUILT_IN = {
  __proto__: null,
  Error: Error_,
  TypeError: TypeError_,
  RangeError: RangeError_,
  SyntaxError: SyntaxError_,
  ReferenceError: ReferenceError_,
  EvalError: EvalError_,
  URIError: URIError_,
};

const PLACE = / \(at [^()\n]{1,300}:\d+:\d+\)$/;

// The host keeps no more of a message, with its place.
const LONGEST_MESSAGE = 3000;

// The places of errors that were recorded: they are places in the source already, and no stack has them.
const recorded = new SafeWeakMap();

// The stacks of the calls that errors are the answers to, where no line of the workflow threw them.
const calls = new SafeWeakMap();

// What is recorded of something that was thrown: a name, and a message that ends with its place in the source.
export function toFailure(thrown) {
  let name = 'Error', message, place = '';
  if (isError(thrown)) {
    name = textOf(thrown, 'name') || 'Error';
    message = textOf(thrown, 'message');
    place = placeOf(thrown);
    message = name === 'InternalError' && message === '' ? 'out of memory' : withHint(name, message || causes(thrown));
  } else {
    // The engine throws null if it has no memory for an error.
    message = thrown === null ? 'null was thrown, or no memory was left' : described(thrown);
  }
  if (message.length > LONGEST_MESSAGE) message = `${StringSlice(message, 0, LONGEST_MESSAGE)}…`;
  if (place && !RegExpExec(PLACE, message)) message = `${message} (at ${place})`;
  return { __proto__: null, name: StringWellFormed(StringSlice(name, 0, 200)), message: StringWellFormed(message) };
}

// What a workflow catches of what was recorded.
export function fromFailure(name, message) {
  const place = RegExpExec(PLACE, message);
  const said = place ? StringSlice(message, 0, message.length - place[0].length) : message;
  const Class = BUILT_IN[name];
  const error = Class ? new Class(said) : name === 'NonRetryableError' ? new NonRetryableError(said) : named(name, said);
  if (place) {
    const source = StringSlice(place[0], 5, -1);
    define(error, 'stack', `    at ${source}\n`);
    recorded.set(error, source);
  }
  return error;
}

export function placeOf(error) {
  return recorded.get(error) ?? (positionIn(textOf(error, 'stack')) || placeIn(calls.get(error)));
}

// Gives an error that no line of the workflow threw the place of the call that it is the answer to. The error itself may be the workflow's own, and
// stays as it is.
export function placedAt(error, stack) {
  if (typeof stack === 'string' && isError(error) && placeOf(error) === '') calls.set(error, stack);
  return error;
}

// The stack of the workflow's call to `called`, for `placeIn`: the caller, and one more where the caller is a built-in function. Each line costs
// some microseconds.
export function here(called) {
  const limit = StackLines(Error_);
  try {
    const stack = captured(called, 1);
    return StringEndsWith(stack, '(native)\n') ? captured(called, 2) : stack;
  } finally {
    SetStackLines(Error_, limit);
  }
}

function captured(called, lines) {
  const at = { __proto__: null };
  SetStackLines(Error_, lines);
  CaptureStack(at, called);
  return at.stack;
}

// The first place of a stack that lies in the workflow's own modules.
export function placeIn(stack) {
  return typeof stack === 'string' ? positionIn(stack) : '';
}

export function isError(value) {
  try {
    return (typeof value === 'object' || typeof value === 'function') && value !== null && value instanceof Error_;
  } catch {
    return false;
  }
}

function textOf(object, key) {
  try {
    const value = object[key];
    return typeof value === 'string' ? value : '';
  } catch {
    return '';
  }
}

export function printed(value) {
  try {
    return String_(value);
  } catch {
    return 'something that cannot be shown as text';
  }
}

// What was thrown and is no error.
function described(thrown) {
  const message = typeof thrown === 'object' ? textOf(thrown, 'message') : '';
  return message || printed(thrown);
}

// The messages of an error that stands for several, as `Promise.any` throws it.
function causes(error) {
  let text = '';
  try {
    const { errors } = error;
    if (!IsArray(errors)) return text;
    for (let index = 0; index < errors.length && text.length < LONGEST_MESSAGE; index += 1) {
      const one = isError(errors[index]) ? textOf(errors[index], 'message') : described(errors[index]);
      text += text ? `; ${one}` : one;
    }
  } catch {
    // The workflow's own getter threw.
  }
  return text;
}

export function listed(keys) {
  let text = '';
  for (let index = 0; index < keys.length; index += 1) text += index ? `, ${keys[index]}` : keys[index];
  return text || 'nothing';
}

// What to do instead of what is not there.
const INSTEAD = {
  __proto__: null,
  process: 'there is no process: parameters come as event.payload, and the tenant as this.env.TENANT_ID',
  Buffer: 'use Uint8Array, TextEncoder and TextDecoder, btoa and atob',
  Intl: 'format dates with toISOString, and numbers with toFixed',
  WebAssembly: 'a workflow in another language is a component of its own, see docs/workflows.md',
  require: 'use import, and bundle packages first: esbuild --bundle --format=esm --external:cloudflare:*',
  module: 'use export, a bundle consists of ES modules',
  exports: 'use export, a bundle consists of ES modules',
  __dirname: 'there are no files: import what the workflow needs as a module',
  Request: 'a workflow has no network: what acts on the world goes through env, with a receipt',
  Response: 'a workflow has no network: return what the workflow is to answer with',
  Headers: 'a workflow has no network: use a Map or an object',
  FormData: 'a workflow has no network: use URLSearchParams, a Map or an object',
  Blob: 'use Uint8Array or a text',
  XMLHttpRequest: 'a workflow has no network: what acts on the world goes through env, with a receipt',
  WebSocket: 'a workflow has no network: what acts on the world goes through env, with a receipt',
  WeakRef: 'what it does would depend on when memory is collected, and a workflow has to do the same on every run',
  FinalizationRegistry: 'what it does would depend on when memory is collected, and a workflow has to do the same on every run',
};

const NOT_DEFINED = /^'?([A-Za-z_$]+)'? is not defined$/;

function withHint(name, message) {
  const missing = name === 'ReferenceError' && RegExpExec(NOT_DEFINED, message);
  const instead = missing && INSTEAD[missing[1]];
  return instead ? `${message} in a workflow: ${instead}` : message;
}
