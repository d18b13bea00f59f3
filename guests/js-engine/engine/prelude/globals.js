// What is there besides the language, and what is not.

import { installConsole } from 'pp:console';
import { installTimeAndChance } from 'pp:chance';
import { installWeb } from 'pp:web';
import { named } from 'pp:errors';
import { ObjectDefine, ObjectPrototypeOf } from 'pp:primordials';

export function installGlobals(native) {
  installTimeAndChance(native);
  installConsole(native);
  installWeb(native, global);
  installAbsent();
  forbidCodeFromText();
}

export function global(name, value) {
  ObjectDefine(globalThis, name, { __proto__: null, value, writable: true, enumerable: false, configurable: true });
}

// Functions that are not there, and what to do instead. What is looked for with typeof before it is used stays undefined.
function installAbsent() {
  const absent = (name, instead) => global(name, () => {
    throw named('NotAvailableError', `${name} is not there in a workflow: ${instead}`);
  });
  const network = 'it has no network. Pass what it needs as parameters or send it as an event; what acts on the world goes through env, with a receipt';
  const timer = 'time passes only where it is recorded: use await step.sleep(name, duration)';
  global('fetch', async () => {
    throw named('NotAvailableError', `fetch is not there in a workflow: ${network}`);
  });
  absent('setTimeout', timer);
  absent('setInterval', timer);
  absent('setImmediate', timer);
  global('clearTimeout', () => {});
  global('clearInterval', () => {});
  global('scheduler', { wait: async () => { throw named('NotAvailableError', `scheduler.wait is not there in a workflow: ${timer}`); } });
  const locale = 'format numbers with toFixed, and dates with toISOString';
  for (const [prototype, names] of [
    [Number.prototype, ['toLocaleString']],
    [BigInt.prototype, ['toLocaleString']],
    [Date.prototype, ['toLocaleString', 'toLocaleDateString', 'toLocaleTimeString']],
  ]) {
    for (const name of names) {
      const value = () => {
        throw named('NotAvailableError', `${name} is not there in a workflow: it has no locales; ${locale}`);
      };
      ObjectDefine(prototype, name, { __proto__: null, value, writable: true, enumerable: false, configurable: true });
    }
  }
  // It gets the functions of every frame of a stack, the engine's own among them.
  delete Error.prepareStackTrace;
  delete globalThis.WeakRef;
  delete globalThis.FinalizationRegistry;
  delete globalThis.gc;
  delete globalThis.Atomics;
  delete globalThis.SharedArrayBuffer;
}

// As on Cloudflare: a workflow is the text that was approved.
function forbidCodeFromText() {
  const forbid = (Class) => {
    const forbidden = function () {
      throw new EvalError('code generation from text is not there in a workflow');
    };
    forbidden.prototype = Class.prototype;
    ObjectDefine(Class.prototype, 'constructor', { __proto__: null, value: forbidden, writable: true, enumerable: false, configurable: true });
    return forbidden;
  };
  const AsyncFunction = ObjectPrototypeOf(async function () {}).constructor;
  const GeneratorFunction = ObjectPrototypeOf(function* () {}).constructor;
  const AsyncGeneratorFunction = ObjectPrototypeOf(async function* () {}).constructor;
  const forbiddenFunction = forbid(Function);
  global('Function', forbiddenFunction);
  forbid(AsyncFunction);
  forbid(GeneratorFunction);
  forbid(AsyncGeneratorFunction);
  global('eval', () => {
    throw new EvalError('code generation from text is not there in a workflow');
  });
}
