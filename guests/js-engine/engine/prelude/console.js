// console: what a workflow prints is kept with the instance.

import {
  Date_, DateISO, IsArray, IsView, MapForEach, MapSize, Map_, ObjectKeys, Promise_, SetForEach, Set_, String_, Stringify, StringWellFormed,
} from 'pp:primordials';
import { isError, printed } from 'pp:errors';
import { isProbing } from 'pp:loop';

const LONGEST = 100;
const DEEPEST = 4;

export function installConsole(native) {
  const say = (...values) => {
    if (isProbing()) return;
    let line = '';
    for (let index = 0; index < values.length; index += 1) line += (index ? ' ' : '') + shown(values[index], 0, typeof values[index] === 'string');
    native.print(StringWellFormed(`${line}\n`));
  };
  const quiet = () => {};
  globalThis.console = {
    log: say, info: say, debug: say, warn: say, error: say, trace: say, dir: say,
    assert: (condition, ...values) => condition || say('Assertion failed:', ...values),
    table: say, group: say, groupCollapsed: say, groupEnd: quiet, time: quiet, timeEnd: quiet, timeLog: quiet, count: quiet, countReset: quiet,
  };
}

function shown(value, depth, bare) {
  try {
    return show(value, depth, bare);
  } catch {
    return '[something that cannot be shown]';
  }
}

function show(value, depth, bare) {
  switch (typeof value) {
    case 'string':
      return bare ? value : Stringify(value);
    case 'bigint':
      return `${value}n`;
    case 'function':
      return `[function ${value.name || 'anonymous'}]`;
    case 'object':
      return value === null ? 'null' : showObject(value, depth);
    default:
      return String_(value);
  }
}

function showObject(value, depth) {
  if (isError(value)) return `${printed(value)}${value.stack ? `\n${value.stack}` : ''}`;
  if (value instanceof Date_) return DateISO(value);
  if (value instanceof Promise_) return '[Promise]';
  if (depth >= DEEPEST) return IsArray(value) ? '[…]' : '{…}';
  if (value instanceof Map_) return `Map(${MapSize(value)}) ${entries(value, depth, MapForEach)}`;
  if (value instanceof Set_) return `Set ${entries(value, depth, SetForEach)}`;
  if (IsArray(value) || IsView(value)) return list(value, depth);
  return fields(value, depth);
}

function entries(value, depth, each) {
  let text = '', count = 0;
  each(value, (element, key) => {
    count += 1;
    if (count > LONGEST) return;
    const one = element === key ? shown(element, depth + 1) : `${shown(key, depth + 1)} => ${shown(element, depth + 1)}`;
    text += text ? `, ${one}` : one;
  });
  return `{ ${text}${count > LONGEST ? ', …' : ''} }`;
}

function list(value, depth) {
  let text = '';
  for (let index = 0; index < value.length && index < LONGEST; index += 1) text += (index ? ', ' : '') + shown(value[index], depth + 1);
  return `[${text}${value.length > LONGEST ? ', …' : ''}]`;
}

function fields(value, depth) {
  const keys = ObjectKeys(value);
  const name = value.constructor?.name;
  let text = '';
  for (let index = 0; index < keys.length && index < LONGEST; index += 1) text += `${index ? ', ' : ''}${keys[index]}: ${shown(value[keys[index]], depth + 1)}`;
  const body = keys.length ? `{ ${text}${keys.length > LONGEST ? ', …' : ''} }` : '{}';
  return name && name !== 'Object' ? `${name} ${body}` : body;
}
