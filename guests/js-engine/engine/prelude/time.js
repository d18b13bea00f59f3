// Durations and moments, as Cloudflare writes them.

import { DateParse, DateTime, Date_, NumberIsFinite, MathRound, Number_, RegExpExec, StringTrim } from 'pp:primordials';
import { named, printed } from 'pp:errors';

const UNITS = {
  __proto__: null,
  millisecond: 1, second: 1000, minute: 60_000, hour: 3_600_000, day: 86_400_000, week: 604_800_000, month: 2_592_000_000, year: 31_536_000_000,
};

const DURATION = /^(\d+(?:\.\d+)?)\s*(millisecond|second|minute|hour|day|week|month|year)s?$/;

// Milliseconds of a duration: a number of them, or a text such as "10 seconds".
export function milliseconds(duration, what) {
  if (typeof duration === 'number') {
    if (NumberIsFinite(duration) && duration >= 0) return MathRound(duration);
  } else if (typeof duration === 'string') {
    const parts = RegExpExec(DURATION, StringTrim(duration));
    if (parts) return MathRound(Number_(parts[1]) * UNITS[parts[2]]);
  }
  throw named('TypeError', `${what} is ${printed(duration)}: a duration is a number of milliseconds, or a text such as "10 seconds"`);
}

// Milliseconds since the epoch of a moment: a Date, a number of them, or a date as text.
export function moment(when, what) {
  let at = NaN;
  if (when instanceof Date_) at = DateTime(when);
  else if (typeof when === 'number') at = when;
  else if (typeof when === 'string') at = DateParse(when);
  if (NumberIsFinite(at) && at >= 0) return MathRound(at);
  throw named('TypeError', `${what} is ${printed(when)}: a moment is a Date, or milliseconds since 1970`);
}
