// What a workflow gets as `step`.

import { DateISO, Date_, ObjectFreeze, ObjectKeys, ObjectSetPrototypeOf, Parse, Promise_, SafeMap, String_, StringWellFormed, deferred } from 'pp:primordials';
import { NonRetryableError, fromFailure, here, isError, listed, named, placedAt, printed } from 'pp:errors';
import { CONFIGURED, NEVER, ask, goesOn, openBody } from 'pp:loop';
import { toJson } from 'pp:json';
import { milliseconds, moment } from 'pp:time';
import { nextApproval, RESERVED } from 'pp:authority';
import { register } from 'pp:rollback';

const BACKOFF = { __proto__: null, constant: 0, linear: 1, exponential: 2 };
const counts = new SafeMap();

class WorkflowStep {
  do(name, ...rest) {
    const call = argumentsOf(name, rest);
    const entry = stepEntry(call, here(called.do));
    if (call.rollback) register(entry, call);
    return ask(entry);
  }

  sleep(name, duration) {
    const title = nameOf(name, 'sleep');
    const ms = milliseconds(duration, `the duration of sleep "${title}"`);
    return ask(waitEntry(`sleep "${title}"`, 'sleep-rejected', here(called.sleep), (native) => native.startSleep(title, ms)));
  }

  sleepUntil(name, when) {
    const title = nameOf(name, 'sleepUntil');
    const at = moment(when, `the end of sleep "${title}"`);
    return ask(waitEntry(`sleep "${title}"`, 'sleep-rejected', here(called.sleepUntil), (native) => native.startSleepUntil(title, at)));
  }

  waitForEvent(name, options) {
    const title = nameOf(name, 'waitForEvent');
    const { type } = options ?? {};
    if (typeof type !== 'string') throw named('TypeError', `step.waitForEvent("${title}", { type, timeout }): type is ${printed(type)}, and has to be a text`);
    const timeout = options.timeout === undefined ? undefined : milliseconds(options.timeout, `the timeout of the wait "${title}"`);
    if (type === RESERVED) return nextApproval(title, timeout, here(called.waitForEvent));
    return ask(waitEntry(`the wait "${title}"`, 'wait-rejected', here(called.waitForEvent), (native) => native.startWait(title, StringWellFormed(type), timeout)));
  }
}

// The methods as they are here, whatever a workflow does to the prototype.
const called = { __proto__: null, do: WorkflowStep.prototype.do, sleep: WorkflowStep.prototype.sleep, sleepUntil: WorkflowStep.prototype.sleepUntil, waitForEvent: WorkflowStep.prototype.waitForEvent };

export const step = ObjectFreeze(new WorkflowStep());

function nameOf(name, method) {
  if (typeof name !== 'string') throw named('TypeError', `step.${method}: the name is ${printed(name)}, and has to be a text`);
  return StringWellFormed(name);
}

// do(name, callback), do(name, config, callback), and either with { rollback, rollbackConfig } at the end.
function argumentsOf(name, rest) {
  const title = nameOf(name, 'do');
  const at = typeof rest[0] === 'function' ? 0 : 1;
  const callback = rest[at], extra = rest[at + 1];
  if (typeof callback !== 'function') throw named('TypeError', `step.do("${title}", …): there is no function to run`);
  return { __proto__: null, title, callback, config: at ? rest[0] : undefined, rollback: extra?.rollback, rollbackConfig: extra?.rollbackConfig };
}

// How a step is tried, as the host takes it.
export function triesOf(config, title) {
  only(config, TRIES, `step "${title}": its configuration`);
  only(config?.retries, RETRIES, `step "${title}": retries`);
  const retries = config?.retries, delay = retries?.delay;
  const backoff = retries?.backoff;
  if (backoff !== undefined && !(backoff in BACKOFF)) {
    throw named('TypeError', `step "${title}": backoff is ${printed(backoff)}, and has to be constant, linear or exponential`);
  }
  return {
    __proto__: null,
    limit: limitOf(retries?.limit, title),
    delay: delay === undefined || typeof delay === 'function' ? undefined : milliseconds(delay, `the delay of step "${title}"`),
    decide: typeof delay === 'function' ? delay : undefined,
    backoff: backoff === undefined ? undefined : BACKOFF[backoff],
    timeout: config?.timeout === undefined ? undefined : milliseconds(config.timeout, `the timeout of step "${title}"`),
    given: config,
  };
}

const TRIES = { __proto__: null, retries: true, timeout: true };
const RETRIES = { __proto__: null, limit: true, delay: true, backoff: true };

// As on Cloudflare: a key that is not known is a mistake, and not a wish that is ignored.
function only(value, known, what) {
  if (value === undefined || value === null) return;
  if (typeof value !== 'object') throw named('TypeError', `${what} is ${printed(value)}, and has to be an object`);
  const keys = ObjectKeys(value);
  for (let index = 0; index < keys.length; index += 1) {
    if (keys[index] in known) continue;
    throw named('TypeError', `${what} has a key "${keys[index]}", which is not there: it may have ${listed(ObjectKeys(known))}`);
  }
}

// More than the host's numbers hold is more than it allows.
function limitOf(limit, title) {
  if (limit === undefined) return undefined;
  if (limit === Infinity) return 4_294_967_295;
  if (typeof limit === 'number' && limit >= 0 && limit % 1 === 0) return limit;
  throw named('TypeError', `step "${title}": retries.limit is ${printed(limit)}, and has to be a whole number, 0 or more`);
}

// `stack` is where it was asked for.
export function stepEntry({ title, callback, config }, stack) {
  return new StepEntry(title, callback, config === undefined ? PLAIN : triesOf(config, title), stack);
}

const PLAIN = triesOf(undefined, '');

class StepEntry {
  constructor(name, callback, tries, stack) {
    this.name = name;
    this.callback = callback;
    this.tries = tries;
    this.stack = stack;
    this.begun = false;
    this.ended = false;
    this.hearer = undefined;
    this.count = (counts.get(name) ?? 0) + 1;
    counts.set(name, this.count);
    this.output = undefined;
    this.next = undefined;
    this.promise = new Promise_((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  get what() {
    return `step "${this.name}"`;
  }

  begin(native) {
    const { limit, delay, backoff, timeout } = this.tries;
    let started;
    try {
      started = native.start(this.name, limit, delay, backoff, timeout);
    } catch (error) {
      throw rejection('step-rejected', error);
    }
    this.begun = true;
    const id = started < 0 ? ~started : started;
    goesOn(this, id);
    if (started >= 0) openBody(this, id, 1);
  }

  body(attempt) {
    const { callback, name, count, tries } = this;
    return callback({ step: { name, count }, attempt, config: tries.given ?? {} });
  }

  write(value) {
    return toJson(value, `the result of step "${this.name}"`);
  }

  retry(error, attempt) {
    return retryOf(this.tries, error, attempt, this.name);
  }

  told(ready) {
    this.ended = true;
    if (ready.kind === 'failed') this.reject(placedAt(fromFailure(ready.name, ready.text), this.stack));
    else {
      const value = Parse(ready.text);
      this.output = ready.text;
      this.resolve(value);
    }
    this.hearer?.();
  }

  // Calls `hearer` when the step has ended. One rollback asks.
  whenEnded(hearer) {
    if (this.ended) hearer();
    else this.hearer = hearer;
  }
}

ObjectSetPrototypeOf(StepEntry.prototype, null);

// What becomes of a step whose attempt has failed.
async function retryOf(tries, error, attempt, title) {
  try {
    if (error instanceof NonRetryableError || (isError(error) && (error.name === 'NonRetryableError' || error.name === 'NotJsonError'))) return NEVER;
    if (!tries.decide) return CONFIGURED;
    const delay = await tries.decide({ ctx: { step: { name: title }, attempt, config: tries.given ?? {} }, error });
    return milliseconds(delay, `what the delay function of step "${title}" returned`);
  } catch {
    // As on Cloudflare: a delay function that fails is the end of the step.
    return NEVER;
  }
}

// Something without a body: a sleep, or a wait.
export function waitEntry(what, rejectedName, stack, start) {
  const entry = {
    __proto__: null,
    ...deferred(),
    what,
    stack,
    begin(native) {
      goesOn(entry, startedBy(rejectedName, () => start(native)));
    },
    told(ready) {
      if (ready.kind === 'slept') entry.resolve(undefined);
      else if (ready.kind === 'event') {
        entry.resolve({ type: ready.name, payload: Parse(ready.text), timestamp: new Date_(ready.number) });
      } else if (ready.kind === 'timed-out') {
        entry.reject(placedAt(named('TimeoutError', `${what} timed out: no event came until ${DateISO(new Date_(ready.number))}`), stack));
      }
    },
  };
  return entry;
}

// What the host finds unacceptable is an error with a name.
export function startedBy(name, start) {
  try {
    return start();
  } catch (error) {
    throw rejection(name, error);
  }
}

function rejection(name, error) {
  return named(name, String_(error?.message));
}
