// Random workflow programs, as source text that runs on both engines. The same seed makes the same programs.
//
// What a program returns does not depend on timing: an event that is waited for comes, or no event of its type ever does; of things that race,
// one is over at once or never fails and is far ahead.

/** A small generator of numbers (mulberry32), from a seed. */
export function chance(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  const below = (bound) => Math.floor(next() * bound);
  return { below, pick: (list) => list[below(list.length)], often: (part) => next() < part };
}

const NAMES = [
  'build', 'ship', 'a step', 'step', 'naïve ☃', '__proto__', 'constructor', 'toString', '0', ' ', 'a'.repeat(256), '💥 boom', 'x/y\\z', '"quoted"', '${x}',
];
const VALUES = [
  'null', 'true', '0', '-1.5', '1e21', '0.1 + 0.2', '9007199254740991', '""', '"text"', '"☃ 💥 \\u0000 \\" \\\\"', '[]', '{}', '[1, [2, [3, null]]]',
  '({ a: 1, b: [true, false], c: { d: "e" } })', '({ "": 0, "__proto_": 1 })', '[undefined]', '({ gone: undefined, kept: 1 })', 'undefined',
  '"x".repeat(5000)', 'Array.from({ length: 50 }, (_, n) => n * n)', '({ toJSONish: "no" })', '1e-7', '-0.5', 'Number.MAX_SAFE_INTEGER',
];
const ERRORS = [
  'new Error("failed")', 'new TypeError("of another type")', 'new RangeError("")', 'Object.assign(new Error("renamed"), { name: "Renamed" })',
  'new (class Own extends Error { constructor() { super("own"); this.name = "Own"; } })()', 'new Error("☃ 💥 \\n second line")', 'new SyntaxError("s")',
];

/** One program: its source text as a function, the events that it gets, and whether the order of its bodies is one. */
export function program(seed) {
  const random = chance(seed);
  const made = { events: [], ordered: true, parallel: 0, nested: 0, inner: 0, types: 0 };
  const body = statements(random, made, 1 + random.below(5), 0);
  const source = `async (event, step, trace) => {\nconst out = [];\n${body}\n${ending(random, made)}\n}`;
  return { seed, source, events: made.events, ordered: made.ordered };
}

// Where it fails, what has a rollback is undone.
function ending(random, made) {
  if (random.often(0.2)) return `throw ${random.pick(ERRORS)};`;
  return random.often(0.2) ? `await ${fails(random, made)};` : 'return out;';
}

function statements(random, made, count, depth) {
  return Array.from({ length: count }, () => statement(random, made, depth)).join('\n');
}

function statement(random, made, depth) {
  const kinds = [keep, keep, keep, caught, finallyDone, aside];
  if (depth < 2) kinds.push(side, side, branch, loop);
  return random.pick(kinds)(random, made, depth);
}

const keep = (random, made, depth) => `out.push(await ${operation(random, made, depth)});`;
const caught = (random, made, depth) =>
  `try { out.push(await ${operation(random, made, depth, true)}); } catch (error) { out.push({ caught: [String(error.name), String(error.message)] }); }`;
const finallyDone = (random, made, depth) =>
  `try { try { out.push(await ${operation(random, made, depth, true)}); } finally { out.push('finally'); } } catch (error) { out.push(error instanceof Error); }`;
const aside = (random, made, depth) => {
  // Begun first, waited for later.
  made.parallel += 1;
  const begun = operation(random, made, depth);
  made.parallel -= 1;
  return `{ const begun = ${begun}; out.push('meanwhile'); out.push(await begun); }`;
};
const branch = (random, made, depth) =>
  `if (out.length % 2 === ${random.below(2)}) { ${statements(random, made, 1, depth + 1)} } else { out.push('else'); }`;
function loop(random, made) {
  const title = name(random, made);
  const body = `{ ${said('loop')} return [n, ctx.step.count, ctx.attempt]; }`;
  return `for (let n = 0; n < ${1 + random.below(3)}; n += 1) out.push(await step.do(${title}, async (ctx) => ${body}${rollback(random, made, title)}));`;
}

function side(random, made, depth) {
  const how = random.pick(['all', 'allSettled', 'race', 'any']);
  made.parallel += 1;
  const several = how === 'race'
    ? [quick(random, made), `step.sleep('far', 3600000).then(() => 'far')`, `step.waitForEvent('never', { type: 'never-${made.types++}', timeout: 3600000 })`].slice(0, 2 + random.below(2))
    : Array.from({ length: 1 + random.below(3) }, () => operation(random, made, depth + 1, how === 'allSettled'));
  made.parallel -= 1;
  if (how === 'any') several.splice(1);
  const asked = `await Promise.${how}([${several.join(', ')}])`;
  if (how !== 'allSettled') return `out.push(${asked});`;
  return `out.push((${asked}).map((end) => end.status === 'fulfilled' ? end.value : { caught: [end.reason.name, end.reason.message] }));`;
}

// A step inside a step has a name of its own: what a later step of the same name has as its count follows from the drive.
function name(random, made) {
  const picked = random.pick(NAMES);
  return JSON.stringify(made.nested ? `${made.inner++} ${picked}`.slice(0, 250) : picked);
}

function operation(random, made, depth, mayFail = false) {
  const kinds = [quick, quick, retried, sleeps, sleepsUntil, awaited];
  if (mayFail) kinds.push(fails, fails, fatal, lapses);
  if (depth < 2 && made.nested === 0 && made.parallel === 0) kinds.push(nested);
  return random.pick(kinds)(random, made, depth);
}

// A line for each attempt, which no other attempt of the program prints.
const said = (word) => `trace(['${word}', ctx.step.name, ctx.step.count, ctx.attempt], ctx.attempt);`;

function quick(random, made) {
  const title = name(random, made);
  return `step.do(${title}, async (ctx) => { ${said('quick')} return ${random.pick(VALUES)}; }${rollback(random, made, title)})`;
}

// What undoes a step where the workflow fails. A step inside a step has none, and one whose name is as long as it may be cannot be undone
// there. A result that is `undefined` is `null` here.
function rollback(random, made, title, output = 'output ?? null, ') {
  if (made.nested || title.length > 250 || !random.often(0.4)) return '';
  const fails = random.often(0.2);
  // The defaults of retries wait for longer than a program may take.
  const given = fails || random.often(0.5) ? `, rollbackConfig: ${config(random, random.below(3))}` : '';
  const body = `trace(['undo', stepName, ctx.step.name, ctx.step.count, ${output}{ caught: [error.name, error.message] }], ctx.attempt);`;
  return `, { rollback: async ({ ctx, stepName, output, error }) => { ${body}${fails ? ` throw ${random.pick(ERRORS)};` : ''} }${given} }`;
}

// Of a step that has a configuration, and may have no output.
const configured = 'output === undefined, ctx.config.retries.limit, ctx.config.retries.delay, ctx.config.retries.backoff, ';

function config(random, limit) {
  const delay = random.pick(['1', '5', '20']);
  return `{ retries: { limit: ${limit}, delay: ${delay}, backoff: '${random.pick(['constant', 'linear', 'exponential'])}' }${random.often(0.3) ? ", timeout: '1 minute'" : ''} }`;
}

function tried(random, made, limit, body) {
  const title = name(random, made);
  return `step.do(${title}, ${config(random, limit)}, async (ctx) => { ${body} }${rollback(random, made, title, configured)})`;
}

function retried(random, made) {
  if (made.parallel) made.ordered = false;
  const failures = 1 + random.below(3), limit = failures + random.below(2);
  const body = `${said('retried')} if (ctx.attempt <= ${failures}) throw ${random.pick(ERRORS)}; return ctx.attempt;`;
  return tried(random, made, limit, body);
}

function fails(random, made) {
  if (made.parallel) made.ordered = false;
  const body = `${said('fails')} throw ${random.pick(ERRORS)};`;
  return tried(random, made, random.below(3), body);
}

function fatal(random, made) {
  const body = `${said('fatal')} throw new NonRetryableError('never again');`;
  return tried(random, made, 3, body);
}

function nested(random, made, depth) {
  made.nested += 1;
  const inner = operation(random, made, depth + 1);
  made.nested -= 1;
  const title = name(random, made);
  return `step.do(${title}, async () => { const inner = await ${inner}; return [inner === undefined ? null : inner]; }${rollback(random, made, title)})`;
}

const sleeps = (random, made) => `step.sleep(${name(random, made)}, ${random.pick(['1', '10', '30', "'1 second'"])}).then(() => 'slept')`;
// A busy engine may take its time between the two.
const sleepsUntil = (random, made) => `step.sleepUntil(${name(random, made)}, new Date(Date.now() + ${3000 + random.below(500)})).then(() => 'slept')`;

function awaited(random, made) {
  const type = `type-${made.types++}`;
  made.events.push({ type, payload: random.pick([null, 1, 'text', [1, 2], { a: { b: '☃' } }, true, '']), early: random.often(0.5) });
  return `step.waitForEvent(${name(random, made)}, { type: '${type}', timeout: '1 hour' }).then((got) => [got.type, got.payload])`;
}

function lapses(random, made) {
  return `step.waitForEvent(${name(random, made)}, { type: 'never-${made.types++}', timeout: ${random.pick(['20', "'1 second'"])} })`;
}

/** The modules that both engines run: one class, which picks the program that its parameters name. */
export function modules(programs) {
  const list = programs.map(({ source }) => source).join(',\n');
  return {
    'programs.js': `import { NonRetryableError } from 'cloudflare:workflows';\nexport const programs = [\n${list}\n];\n`,
    'workflow.js':
      "import { WorkflowEntrypoint } from 'cloudflare:workers';\nimport { programs } from './programs.js';\nimport { traced } from './trace.js';\n" +
      'export class Workflow extends WorkflowEntrypoint {\n  run(event, step) { return programs[event.payload.number](event, step, traced(event.payload.number)); }\n}\n',
  };
}
