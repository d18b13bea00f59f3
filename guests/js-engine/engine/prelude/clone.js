// structuredClone.

import {
  BigInt_, Buffer, ByteArray, Construct, DateTime, Date_, Error_, IsArray, IsView, MapForEach, MapGet, MapHas, MapSet, Map_, ObjectKeys, SetAdd, SetForEach, Set_, String_, TypeError_, RangeError_, SyntaxError_, ReferenceError_, EvalError_, URIError_,
} from 'pp:primordials';
import { define, isError } from 'pp:errors';

const ERRORS = { __proto__: null, EvalError: EvalError_, RangeError: RangeError_, ReferenceError: ReferenceError_, SyntaxError: SyntaxError_, TypeError: TypeError_, URIError: URIError_ };

export function installClone(native, global) {
  const dataCloneError = (what) => new DOMException(`${what} could not be cloned.`, 'DataCloneError');

  function structuredClone(value, options) {
    if (arguments.length === 0) throw new TypeError_('structuredClone: there is no value');
    const transfer = options?.transfer;
    if (transfer?.length) throw dataCloneError('A transferred object');
    return clone(value, new Map_());
  }

  function clone(value, seen) {
    if (typeof value === 'symbol' || typeof value === 'function') throw dataCloneError(typeof value === 'symbol' ? 'A Symbol' : `Function ${value.name}`);
    if (typeof value !== 'object' || value === null) return value;
    if (MapHas(seen, value)) return MapGet(seen, value);
    const made = shell(value, seen);
    if (!MapHas(seen, value)) MapSet(seen, value, made);
    fill(value, made, seen);
    return made;
  }

  // A new object of the same kind, without what it contains.
  function shell(value, seen) {
    if (IsArray(value)) return new Array(value.length);
    if (value instanceof Date_) return new Date_(DateTime(value));
    if (value instanceof RegExp) return new RegExp(value.source, value.flags);
    if (value instanceof Map_) return new Map_();
    if (value instanceof Set_) return new Set_();
    if (value instanceof Buffer) return value.slice(0);
    if (IsView(value)) return view(value, seen);
    if (value instanceof String || value instanceof Number || value instanceof Boolean || value instanceof BigInt_) return Object(value.valueOf());
    if (isError(value)) return error(value);
    if (value instanceof Promise) throw dataCloneError('A Promise');
    if (value instanceof WeakMap || value instanceof WeakSet) throw dataCloneError('A weak collection');
    return {};
  }

  function view(value, seen) {
    const buffer = clone(value.buffer, seen);
    if (value instanceof DataView) return new DataView(buffer, value.byteOffset, value.byteLength);
    return Construct(globalThis[value[Symbol.toStringTag]] ?? ByteArray, [buffer, value.byteOffset, value.length]);
  }

  function error(value) {
    const Class = ERRORS[String_(value.name)] ?? Error_;
    const made = new Class(String_(value.message));
    if (typeof value.stack === 'string') define(made, 'stack', value.stack);
    return made;
  }

  function fill(value, made, seen) {
    if (value instanceof Map_) {
      MapForEach(value, (element, key) => MapSet(made, clone(key, seen), clone(element, seen)));
    } else if (value instanceof Set_) {
      SetForEach(value, (element) => SetAdd(made, clone(element, seen)));
    } else if (isError(value)) {
      if (Object.hasOwn(value, 'cause')) define(made, 'cause', clone(value.cause, seen));
    } else if (IsArray(value) || isPlain(value)) {
      for (const key of ObjectKeys(value)) {
        Object.defineProperty(made, key, { __proto__: null, value: clone(value[key], seen), writable: true, enumerable: true, configurable: true });
      }
    }
  }

  function isPlain(value) {
    return !(value instanceof Date_ || value instanceof RegExp || value instanceof Buffer || IsView(value)
      || value instanceof String || value instanceof Number || value instanceof Boolean || value instanceof BigInt_);
  }

  global('structuredClone', structuredClone);
}
