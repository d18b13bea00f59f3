// Copies of the built-in functions, taken before any workflow is there. What the engine does never goes through what a workflow can change.

const { call } = Function.prototype;
const uncurried = call.bind(Function.prototype.bind, call);

export const ObjectDefine = Object.defineProperty;
const ObjectDescriptor = Object.getOwnPropertyDescriptor;
export const ObjectKeys = Object.keys;
export const ObjectFreeze = Object.freeze;
export const ObjectPrototypeOf = Object.getPrototypeOf;
export const ObjectSetPrototypeOf = Object.setPrototypeOf;
export const ObjectPrototype = Object.prototype;
const OwnKeys = Reflect.ownKeys;
export const Construct = Reflect.construct;

export const IsArray = Array.isArray;
export const ArraySort = uncurried(Array.prototype.sort);
export const Stringify = JSON.stringify;
export const Parse = JSON.parse;

export const MapGet = uncurried(Map.prototype.get);
export const MapSet = uncurried(Map.prototype.set);
export const MapHas = uncurried(Map.prototype.has);
export const MapForEach = uncurried(Map.prototype.forEach);
export const MapSize = uncurried(ObjectDescriptor(Map.prototype, 'size').get);
export const SetAdd = uncurried(Set.prototype.add);
export const SetForEach = uncurried(Set.prototype.forEach);

export const StringCodeUnit = uncurried(String.prototype.charCodeAt);
export const StringEndsWith = uncurried(String.prototype.endsWith);
export const StringSlice = uncurried(String.prototype.slice);
export const StringTrim = uncurried(String.prototype.trim);
export const StringWellFormed = uncurried(String.prototype.toWellFormed);
export const RegExpExec = uncurried(RegExp.prototype.exec);
export const NumberIsFinite = Number.isFinite;
export const MathRound = Math.round;
export const DateTime = uncurried(Date.prototype.getTime);
export const DateISO = uncurried(Date.prototype.toISOString);
export const DateParse = Date.parse;

const TypedArray = ObjectPrototypeOf(Uint8Array);
export const ByteArray = Uint8Array;
export const TypedArrayTag = uncurried(ObjectDescriptor(TypedArray.prototype, Symbol.toStringTag).get);
export const IsView = ArrayBuffer.isView;
export const Buffer = ArrayBuffer;

export const String_ = String;
export const Number_ = Number;
export const Boolean_ = Boolean;
export const BigInt_ = BigInt;
export const Map_ = Map;
export const Set_ = Set;
export const Date_ = Date;
export const RegExp_ = RegExp;
export const Iterator_ = Iterator;
export const WeakMap_ = WeakMap;
export const WeakSet_ = WeakSet;
export const Promise_ = Promise;
export const Error_ = Error;
export const TypeError_ = TypeError;
export const RangeError_ = RangeError;
export const SyntaxError_ = SyntaxError;
export const ReferenceError_ = ReferenceError;
export const EvalError_ = EvalError;
export const URIError_ = URIError;
export const CaptureStack = Error.captureStackTrace;
const { get: stackLines, set: setStackLines } = ObjectDescriptor(Error, 'stackTraceLimit');
export const StackLines = uncurried(stackLines);
export const SetStackLines = uncurried(setStackLines);

// Maps and a set whose methods no workflow can change: their prototypes have nothing above them, and no workflow gets one.
export const SafeMap = safe(class extends Map {});
export const SafeSet = safe(class extends Set {});
export const SafeWeakMap = safe(class extends WeakMap {});

function safe(Class) {
  const own = Class.prototype, inherited = ObjectPrototypeOf(own);
  for (const key of OwnKeys(inherited)) {
    if (key !== 'constructor') ObjectDefine(own, key, { __proto__: null, ...ObjectDescriptor(inherited, key) });
  }
  ObjectSetPrototypeOf(own, null);
  return Class;
}

// A promise with its two functions. `Promise.withResolvers` would look them up where a workflow can change them.
export function deferred() {
  let resolve, reject;
  const promise = new Promise_((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

// A queue. An array would meet the setters that a workflow can define on its prototype.
export class Queue {
  first = undefined;
  last = undefined;

  push(value) {
    const link = { __proto__: null, value, next: undefined };
    if (this.first === undefined) this.first = link;
    else this.last.next = link;
    this.last = link;
  }

  shift() {
    const link = this.first;
    if (link === undefined) return undefined;
    this.first = link.next;
    return link.value;
  }
}
