// Results as JSON. What JSON cannot say is an error that names the place, and not another value.

import {
  ArraySort, ByteArray, Date_, IsArray, IsView, Map_, NumberIsFinite, ObjectKeys, ObjectPrototype, ObjectPrototypeOf, Set_, Stringify, Buffer, Promise_,
  RegExpExec, RegExp_, Iterator_, WeakMap_, WeakSet_, Number_, String_, Boolean_,
} from 'pp:primordials';
import { isError, named } from 'pp:errors';

// The engine's stack holds some two hundred calls, and the workflow has some of them.
const DEEPEST = 64;

const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;

// The JSON text of a value. `what` says whose it is: it begins the error's message.
export function toJson(value, what) {
  if (value === undefined) return 'null';
  try {
    return written(value, 0);
  } catch (thrown) {
    throw Unsayable.is(thrown) ? thrown.error(what) : thrown;
  }
}

// A part that JSON cannot say. Each level that it passes on its way up adds the part's place: a value that can be said has no cost of it.
class Unsayable {
  #path = '';
  #is;
  #instead;

  constructor(is, instead) {
    this.#is = is;
    this.#instead = instead;
  }

  static is(thrown) {
    return typeof thrown === 'object' && thrown !== null && #path in thrown;
  }

  // What was thrown, one level further up.
  static within(thrown, place) {
    if (Unsayable.is(thrown)) thrown.#path = place + thrown.#path;
    return thrown;
  }

  error(what) {
    return named('NotJsonError', `${what}${this.#path && ` at ${this.#path}`} ${this.#is}, which cannot be recorded: ${this.#instead}`);
  }
}

function no(is, instead) {
  throw new Unsayable(is, instead);
}

function written(value, depth) {
  switch (typeof value) {
    case 'string':
      return Stringify(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'number':
      if (!NumberIsFinite(value)) return no(`is ${value}`, 'make it a finite number, a text or null');
      return Stringify(value);
    case 'bigint':
      return no('is a BigInt', 'turn it into a text with String(…)');
    case 'object':
      if (value === null) return 'null';
      if (depth >= DEEPEST) return no(`is more than ${DEEPEST} levels deep, or contains itself`, 'return less');
      return IsArray(value) ? array(value, depth) : object(value, depth);
    default:
      return no(`is a ${typeof value}`, 'return data only');
  }
}

function array(value, depth) {
  const length = value.length;
  let text = '[', index = 0;
  try {
    for (; index < length; index += 1) {
      const element = value[index];
      const one = element === undefined ? 'null' : written(element, depth + 1);
      text += index === 0 ? one : `,${one}`;
    }
  } catch (thrown) {
    throw Unsayable.within(thrown, `[${index}]`);
  }
  return `${text}]`;
}

function object(value, depth) {
  refuse(value);
  const keys = ObjectKeys(value);
  let text = '{', key;
  try {
    for (let index = 0; index < keys.length; index += 1) {
      key = keys[index];
      const element = value[key];
      // As JSON.stringify: what is undefined is not there.
      if (element === undefined) continue;
      const one = `${Stringify(key)}:${written(element, depth + 1)}`;
      text += text === '{' ? one : `,${one}`;
    }
  } catch (thrown) {
    throw Unsayable.within(thrown, RegExpExec(IDENTIFIER, key) ? `.${key}` : `[${Stringify(key)}]`);
  }
  return `${text}}`;
}

// What JSON.stringify would turn into something else without a word.
function refuse(value) {
  const prototype = ObjectPrototypeOf(value);
  if (prototype === null) return;
  if (prototype !== ObjectPrototype) refuseKind(value);
  const own = value.toJSON;
  if (typeof own === 'function' && own !== ObjectPrototype.toJSON) no('has a toJSON of its own', 'return what that makes');
}

function refuseKind(value) {
  if (value instanceof Date_) no('is a Date', 'return its toISOString() or getTime()');
  if (value instanceof Map_) no('is a Map', 'return Object.fromEntries(…) of it');
  if (value instanceof Set_) no('is a Set', 'return an array: [...set]');
  if (value instanceof Promise_) no('is a Promise', 'await it first');
  if (isError(value)) no('is an Error', 'throw it, or return its message');
  if (IsView(value) || value instanceof Buffer) no('is bytes', 'return them as a text, with btoa');
  if (value instanceof RegExp_) no('is a RegExp', 'return its source');
  if (value instanceof Iterator_) no('is an iterator', 'return an array: [...iterator]');
  if (value instanceof WeakMap_ || value instanceof WeakSet_) no('is a weak collection', 'return data only');
  if (value instanceof Number_ || value instanceof String_ || value instanceof Boolean_) no('is an object around a value', 'return its valueOf()');
}

export function bytesOf(value) {
  if (value instanceof ByteArray) return value;
  if (value instanceof Buffer) return new ByteArray(value);
  if (IsView(value)) return new ByteArray(value.buffer, value.byteOffset, value.byteLength);
  return undefined;
}

// JSON with sorted keys and no white space: the same value has the same bytes.
export function canonical(value) {
  if (value === null || typeof value !== 'object') return Stringify(value);
  if (IsArray(value)) {
    let text = '[';
    for (let index = 0; index < value.length; index += 1) text += (index ? ',' : '') + canonical(value[index]);
    return `${text}]`;
  }
  const keys = ArraySort(ObjectKeys(value));
  let text = '{';
  for (let index = 0; index < keys.length; index += 1) {
    text += `${index ? ',' : ''}${Stringify(keys[index])}:${canonical(value[keys[index]])}`;
  }
  return `${text}}`;
}
