// Results as JSON. What JSON cannot say is an error that names the place, and not another value.

import {
  ArraySort, ByteArray, Date_, IsArray, IsView, Map_, NumberIsFinite, ObjectKeys, ObjectPrototype, ObjectPrototypeOf, Set_, Stringify, Buffer, Promise_,
  RegExpExec,
} from 'pp:primordials';
import { isError, named } from 'pp:errors';

// The engine's stack holds some two hundred calls, and the workflow has some of them.
const DEEPEST = 64;

// The JSON text of a value. `what` says whose it is: it begins the error's message.
export function toJson(value, what) {
  return value === undefined ? 'null' : written(value, what, '', 0);
}

function written(value, what, path, depth) {
  switch (typeof value) {
    case 'string':
      return Stringify(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'number':
      if (!NumberIsFinite(value)) return no(what, path, `is ${value}`, 'make it a finite number, a text or null');
      return Stringify(value);
    case 'bigint':
      return no(what, path, 'is a BigInt', 'turn it into a text with String(…)');
    case 'object':
      if (value === null) return 'null';
      if (depth >= DEEPEST) return no(what, path, `is more than ${DEEPEST} levels deep, or contains itself`, 'return less');
      return IsArray(value) ? array(value, what, path, depth) : object(value, what, path, depth);
    default:
      return no(what, path, `is a ${typeof value}`, 'return data only');
  }
}

function array(value, what, path, depth) {
  const length = value.length;
  let text = '[';
  for (let index = 0; index < length; index += 1) {
    const element = value[index];
    const one = element === undefined ? 'null' : written(element, what, `${path}[${index}]`, depth + 1);
    text += index === 0 ? one : `,${one}`;
  }
  return `${text}]`;
}

function object(value, what, path, depth) {
  refuse(value, what, path);
  const keys = ObjectKeys(value);
  let text = '{';
  for (let index = 0; index < keys.length; index += 1) {
    const key = keys[index], element = value[key];
    // As JSON.stringify: what is undefined is not there.
    if (element === undefined) continue;
    const place = RegExpExec(/^[A-Za-z_$][\w$]*$/, key) ? `${path}.${key}` : `${path}[${Stringify(key)}]`;
    const one = `${Stringify(key)}:${written(element, what, place, depth + 1)}`;
    text += text === '{' ? one : `,${one}`;
  }
  return `${text}}`;
}

// What JSON.stringify would turn into something else without a word.
function refuse(value, what, path) {
  if (ObjectPrototypeOf(value) === null) return;
  if (value instanceof Date_) no(what, path, 'is a Date', 'return its toISOString() or getTime()');
  if (value instanceof Map_) no(what, path, 'is a Map', 'return Object.fromEntries(…) of it');
  if (value instanceof Set_) no(what, path, 'is a Set', 'return an array: [...set]');
  if (value instanceof Promise_) no(what, path, 'is a Promise', 'await it first');
  if (isError(value)) no(what, path, 'is an Error', 'throw it, or return its message');
  if (IsView(value) || value instanceof Buffer) no(what, path, 'is bytes', 'return them as a text, with btoa');
  const own = value.toJSON;
  if (typeof own === 'function' && own !== ObjectPrototype.toJSON) no(what, path, 'has a toJSON of its own', 'return what that makes');
}

function no(what, path, is, instead) {
  throw named('NotJsonError', `${what}${path && ` at ${path}`} ${is}, which cannot be recorded: ${instead}`);
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
