// Cases of promises, dates and structured clones as JavaScript and the web define them, where the engine's prelude wraps or replaces them. Each case
// returns JSON; `answers.json` has Node's answers (`node tests/scripts/conformance/answers.mjs` writes it).

const thrown = async (work) => { try { return ['returned', await work()]; } catch (error) { return [error?.name ?? null, error instanceof Error]; } };
const ticks = async (begin) => { const seen = []; const say = (word) => { seen.push(word); }; await begin(say); for (let n = 0; n < 20; n += 1) await null; return seen; };

const promises = {
  'reactions run in the order in which they were made': () => ticks((say) => { const p = Promise.resolve(); p.then(() => say(1)); p.then(() => say(2)); queueMicrotask(() => say(3)); p.then(() => say(4)); say(0); }),
  'await of a value takes one tick, then of a promise takes its own': () => ticks((say) => { (async () => { say('a'); await 1; say('b'); await Promise.resolve(); say('c'); })(); (async () => { await null; say('d'); await null; say('e'); })(); }),
  'an async function that returns a promise takes three ticks': () => ticks((say) => { (async () => Promise.resolve())().then(() => say('returned')); Promise.resolve().then(() => say(1)).then(() => say(2)).then(() => say(3)).then(() => say(4)); }),
  'a thenable is asked in a job of its own': () => ticks((say) => { Promise.resolve({ then(done) { say('then'); done('x'); } }).then(say); say('first'); Promise.resolve().then(() => say('beside')); }),
  'a thenable that throws after it has resolved is resolved': async () => Promise.resolve({ then(done) { done('kept'); throw new Error('late'); } }),
  'a thenable that calls twice counts once': async () => Promise.resolve({ then(done, fail) { done(1); done(2); fail(new Error('no')); } }),
  'a promise that is resolved with itself is a TypeError': () => thrown(() => { let done; const p = new Promise((resolve) => { done = resolve; }); done(p); return p; }),
  'then without functions hands through': async () => [await Promise.resolve(1).then(), await Promise.reject(new RangeError('r')).then(undefined, undefined).catch((e) => e.name)],
  'finally keeps the value, and throws its own': async () => [await Promise.resolve(1).finally(() => 2), await thrown(() => Promise.resolve(1).finally(() => { throw new TypeError('t'); })), await thrown(() => Promise.reject(new RangeError('r')).finally(() => 2))],
  'finally waits for what it returns': () => ticks((say) => { Promise.resolve('v').finally(() => Promise.resolve().then(() => say('inner'))).then(say); }),
  'all keeps the order, and of nothing is an empty list': async () => [await Promise.all([new Promise((r) => queueMicrotask(() => r(1))), 2, Promise.resolve(3)]), await Promise.all([]), await Promise.all('ab')],
  'all fails with the first failure': () => thrown(() => Promise.all([Promise.resolve(1), Promise.reject(new RangeError('first')), Promise.reject(new TypeError('second'))])),
  'any of failures is an AggregateError in their order': async () => { try { await Promise.any([Promise.reject(new Error('a')), Promise.reject('b')]); return null; } catch (e) { return [e.name, e.errors.map(String), e instanceof AggregateError]; } },
  'any of nothing fails': () => thrown(() => Promise.any([])),
  'race takes what is settled first': async () => [await Promise.race([new Promise(() => {}), Promise.resolve(1), 2]), await thrown(() => Promise.race([Promise.reject(new TypeError('x')), 1]))],
  'allSettled tells both': async () => Promise.allSettled([1, Promise.reject('no'), Promise.resolve([2])]),
  'the iterator of all is closed when then throws': async () => { const seen = []; const list = { [Symbol.iterator]: () => ({ next: () => ({ done: false, value: { get then() { throw new RangeError('then'); } } }), return() { seen.push('closed'); return {}; } }) }; const resolve = Promise.resolve; const Mine = class extends Promise { static resolve() { throw new TypeError('mine'); } }; const end = await thrown(() => Mine.all(list)); return [end, seen, resolve === Promise.resolve]; },
  'subclasses and species': async () => { class Mine extends Promise {} const m = Mine.resolve(1).then((x) => x + 1); return [m instanceof Mine, m.constructor === Mine, await m, Promise.resolve(m) === m]; },
  'for await over values, promises and a generator': async () => { const seen = []; for await (const x of [1, Promise.resolve(2)]) seen.push(x); async function* gen() { yield 3; yield Promise.resolve(4); try { yield 5; yield 6; } finally { seen.push('cleaned'); } } for await (const x of gen()) { seen.push(x); if (x === 5) break; } return seen; },
  'an error in an async generator ends it': async () => { async function* gen() { yield 1; throw new RangeError('g'); } const g = gen(); return [await g.next(), await thrown(() => g.next()), await g.next()]; },
  'names and lengths': async () => [Promise.name, Promise.length, Promise.all.length, Promise.prototype.then.length, Promise.prototype.finally.name, Object.prototype.toString.call(Promise.resolve())],
  'Promise needs new and a function': async () => [await thrown(() => Promise(() => {})), await thrown(() => new Promise(1)), await thrown(() => Promise.resolve.call(1))],
};

const dates = {
  'an instant in every form': () => { const d = new Date(Date.UTC(2024, 1, 29, 23, 59, 58, 7)); return [d.toISOString(), d.toJSON(), d.getTime(), d.valueOf() === +d, d.toUTCString(), d.getUTCDay(), JSON.stringify({ d })]; },
  'local is UTC': () => { const d = new Date(2024, 1, 29, 12); return [d.getTimezoneOffset(), d.getHours(), d.getUTCHours(), d.toISOString()]; },
  'parsing': () => ['2024-02-29', '2024-02-29T12:00:00Z', '2024-02-29T12:00:00.123+02:00', '2024-02', '2024', '+012024-01-01T00:00:00Z', 'Thu, 29 Feb 2024 12:00:00 GMT', 'nonsense', '2024-02-30T00:00:00Z', '2024-13-01', ''].map((t) => (Number.isNaN(Date.parse(t)) ? 'NaN' : Date.parse(t))),
  'a day without time is UTC, with time local': () => [Date.parse('2024-01-01'), Date.parse('2024-01-01T00:00'), +new Date('2024-01-01T00:00:00')],
  'fields overflow': () => [new Date(Date.UTC(2024, 12, 32)).toISOString(), new Date(Date.UTC(2023, 1, 29)).toISOString(), new Date(Date.UTC(99, 0)).toISOString(), new Date(0, 0).toISOString()],
  'the ends of time': () => [new Date(8.64e15).toISOString(), Number.isNaN(+new Date(8.64e15 + 1)), new Date(-8.64e15).toISOString(), Number.isNaN(Date.UTC(1e9))],
  'an invalid date': async () => [String(new Date(NaN)), new Date(NaN).toJSON(), await thrown(() => new Date(NaN).toISOString()), Number.isNaN(new Date(undefined).getTime()), +new Date(null)],
  'setters': () => { const d = new Date(0); return [d.setUTCFullYear(2024, 1, 29), d.setUTCHours(1, 2, 3, 4), d.setUTCMonth(0), d.setTime(5.9), d.setUTCDate(40), d.setUTCMinutes(NaN), String(+d)].map(String); },
  'as text and as number': () => { const d = new Date(5); return [d - 0, typeof (d + 1), `${d[Symbol.toPrimitive]('number')}`, d.toISOString() > new Date(4).toISOString(), d > new Date(4)]; },
  'called as a function it is a text': () => [typeof Date(), typeof Date.now(), Date.length, Date.name, Date.UTC.length, Object.prototype.toString.call(new Date())],
  'a copy of a date, and a subclass': () => { class Day extends Date { day() { return this.getUTCDate(); } } const d = new Day(86400000); return [+new Date(d), d.day(), d instanceof Date, d.constructor === Day, structuredClone(d) instanceof Date]; },
  'Date.prototype is no date': async () => [await thrown(() => Date.prototype.getTime()), await thrown(() => Date.prototype.getTime.call({}))],
};

const shape = (value) => Object.prototype.toString.call(value).slice(8, -1);
const clones = {
  'primitives': () => [undefined, null, true, 1, -0, 'text', NaN, Infinity].map((v) => (Object.is(structuredClone(v), v) ? 'same' : 'other')).concat(structuredClone(10n) === 10n ? 'same' : 'other'),
  'boxed primitives': () => [new Boolean(false), new Number(1), new String('s')].map((v) => { const c = structuredClone(v); return [shape(c), typeof c, c.valueOf(), c !== v]; }),
  'plain objects and lists': () => { const v = { a: [1, , 3], b: { c: undefined } }; const c = structuredClone(v); return [c, 1 in c.a, c.a.length, 'c' in c.b, c !== v, c.b !== v.b]; },
  'cycles and shared parts': () => { const v = { a: {} }; v.self = v; v.again = v.a; const c = structuredClone(v); return [c.self === c, c.again === c.a, c.a !== v.a]; },
  'maps and sets, with themselves inside': () => { const m = new Map([[1, 'a'], [{ k: 1 }, new Set([1, 2])]]); m.set('self', m); const c = structuredClone(m); return [shape(c), c.size, [...c.keys()].map(shape), c.get('self') === c, [...[...c.values()][1]]]; },
  'dates and regular expressions': () => { const r = /a+/gi; r.lastIndex = 3; const c = structuredClone({ d: new Date(5), r }); return [+c.d, c.r.source, c.r.flags, c.r.lastIndex]; },
  'errors keep their kind, name and message': () => [new Error('e'), new TypeError('t'), new RangeError('r'), Object.assign(new Error('own'), { name: 'Own' })].map((e) => { const c = structuredClone(e); return [c.name, c.message, c instanceof Error, Object.getPrototypeOf(c).constructor.name]; }),
  'buffers and views share what they shared': () => { const b = new ArrayBuffer(8); const v = { a: new Uint8Array(b, 2, 3), d: new DataView(b), f: new Float64Array([1.5, -0]) }; v.a[0] = 7; const c = structuredClone(v); return [c.a.byteOffset, c.a.length, c.a[0], c.a.buffer === c.d.buffer, c.a.buffer !== b, c.d.getUint8(2), [...c.f].map((x) => (Object.is(x, -0) ? '-0' : x))]; },
  'what cannot be cloned': async () => Promise.all([() => {}, Symbol('s'), new WeakMap(), Promise.resolve(), { deep: [() => {}] }].map((v) => thrown(() => structuredClone(v)))),
  'a DataCloneError is a DOMException': () => { try { structuredClone(() => {}); return null; } catch (e) { return [e.name, e.code, e instanceof DOMException]; } },
  'prototypes, accessors, symbols and hidden parts are left behind': () => { class P { constructor() { this.own = 1; } get got() { return 2; } } const v = new P(); Object.defineProperty(v, 'hidden', { value: 1, enumerable: false }); Object.defineProperty(v, 'read', { get: () => 3, enumerable: true }); v[Symbol('s')] = 1; const c = structuredClone(v); return [c, Object.getPrototypeOf(c) === Object.prototype, Object.getOwnPropertyDescriptor(c, 'read').value, Object.getOwnPropertySymbols(c).length]; },
  'a getter that throws is its error': () => thrown(() => structuredClone({ get bad() { throw new RangeError('bad'); } })),
  'parts in their order': () => Object.keys(structuredClone({ z: 1, 10: 1, a: 1, 2: 1 })),
  'transferred buffers move': () => { const b = new ArrayBuffer(4); const c = structuredClone(b, { transfer: [b] }); return [b.byteLength, c.byteLength]; },
  'an argument is needed': () => thrown(() => structuredClone()),
};

export const cases = { ...promises, ...dates, ...clones };

export async function answers() {
  const all = {};
  for (const [name, work] of Object.entries(cases)) {
    try { all[name] = JSON.parse(JSON.stringify((await work()) ?? null)); } catch (error) { all[name] = `threw ${error?.name}: ${error?.message}`; }
  }
  return all;
}
