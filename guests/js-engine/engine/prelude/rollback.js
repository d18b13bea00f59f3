// Undoing what a workflow did before it failed: the last step first, each as a step of its own.

import { Parse } from 'pp:primordials';
import { isError, named } from 'pp:errors';
import { ask, isInsideStep } from 'pp:loop';
import { stepEntry } from 'pp:step';

// What was registered last; each names the one `before` it.
let registered;

export function register(entry, { title, config, rollback, rollbackConfig }) {
  if (typeof rollback !== 'function') throw named('TypeError', `step "${title}": rollback has to be a function`);
  // The body of a step that is done is left out on later runs, and what it registered with it.
  if (isInsideStep()) throw named('rollback-inside-step', 'a step inside a step has no rollback of its own; give one to the outer step');
  registered = { __proto__: null, entry, title, config, rollback, rollbackConfig, before: registered };
}

// Undoes everything. What cannot be undone ends it; the workflow fails with its own error either way.
export async function undo(thrown) {
  const error = isError(thrown) ? thrown : named('Error', `${thrown}`);
  while (registered) {
    const { entry, title, config, rollback, rollbackConfig, before } = registered;
    registered = before;
    const { name, count } = entry;
    const output = entry.output === undefined ? undefined : Parse(entry.output);
    // The context of the step that is undone; the attempt is that of the rollback.
    const callback = ({ attempt }) => rollback({ ctx: { step: { name, count }, attempt, config: config ?? {} }, stepName: `${name}-${count}`, error, output });
    try {
      await ask(stepEntry({ title: rollbackName(title), callback, config: rollbackConfig }));
    } catch (failed) {
      return;
    }
  }
}

// A name may have 256 characters, and one at the bound has to fit with what is put before it.
function rollbackName(title) {
  const prefix = 'rollback: ';
  return prefix + [...title].slice(0, 256 - prefix.length).join('');
}
