// Undoing what a workflow did before it failed: the last step first, each as a step of its own.

import { Parse, Promise_, StringCodeUnit, StringSlice } from 'pp:primordials';
import { isError, named, printed } from 'pp:errors';
import { askToUndo, beginUndoing, isInsideStep } from 'pp:loop';
import { stepEntry } from 'pp:step';

// What was registered last; each names the one `before` it.
let registered;

export function register(entry, { title, config, rollback, rollbackConfig }) {
  if (typeof rollback !== 'function') throw named('TypeError', `step "${title}": rollback has to be a function`);
  // The body of a step that is done is left out on later runs, and what it registered with it.
  if (isInsideStep()) throw named('rollback-inside-step', 'a step inside a step has no rollback of its own; give one to the outer step');
  registered = { __proto__: null, entry, title, config, rollback, rollbackConfig, before: registered };
}

// Undoes everything that was begun. What cannot be undone ends it; the workflow fails with its own error either way.
export async function undo(thrown) {
  const error = isError(thrown) ? thrown : named('Error', printed(thrown));
  beginUndoing();
  while (registered) {
    const { entry, title, config, rollback, rollbackConfig, before } = registered;
    registered = before;
    if (!entry.begun) continue;
    await endOf(entry);
    const { name, count } = entry;
    const output = entry.output === undefined ? undefined : Parse(entry.output);
    // The context of the step that is undone; the attempt is that of the rollback.
    const callback = ({ attempt }) => rollback({ ctx: { step: { name, count }, attempt, config: config ?? {} }, stepName: `${name}-${count}`, error, output });
    try {
      await askToUndo(stepEntry({ title: rollbackName(title), callback, config: rollbackConfig }));
    } catch (failed) {
      return;
    }
  }
}

// A name may have 256 characters, and one at the bound has to fit with what is put before it.
function rollbackName(title) {
  const prefix = 'rollback: ';
  return prefix + firstCharacters(title, 256 - prefix.length);
}

// The first characters of a well-formed text, where two surrogates are one character.
function firstCharacters(text, most) {
  let end = 0;
  for (let count = 0; count < most && end < text.length; count += 1) {
    const unit = StringCodeUnit(text, end);
    end += unit >= 0xd800 && unit < 0xdc00 ? 2 : 1;
  }
  return StringSlice(text, 0, end);
}

// A step that still runs when the workflow fails is undone when it has ended, with its result.
function endOf(entry) {
  return new Promise_((resolve) => entry.whenEnded(resolve));
}
