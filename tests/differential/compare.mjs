// What has to be the same on both engines, and the differences that docs/workflows.md and docs/javascript.md list.

const BUILT_IN = ['Error', 'TypeError', 'RangeError', 'SyntaxError', 'ReferenceError', 'EvalError', 'URIError'];

/** Lists what differs between the two ends of a program. Without `traces`, what bodies printed is left out. */
export function differences(program, theirs, ours, { traces }) {
  const there = canonical(theirs.status, theirs.output, theirs.error);
  const here = canonical(ours.status, ours.output === undefined ? undefined : JSON.parse(ours.output), ours.failure);
  const found = Object.keys(there).filter((part) => text(there[part]) !== text(here[part])).map((part) => [part, there[part], here[part]]);
  if (!traces) return found;
  const [lines, mine] = [theirs.trace, ours.trace].map((trace) => {
    const lines = trace.map((line) => text(errorsIn(line)));
    return program.ordered ? lines : lines.sort();
  });
  if (text(lines) !== text(mine)) found.push(['trace', lines, mine]);
  // The workflow has ended when its steps are undone, so nothing is beside that.
  const [undone, mineUndone] = [theirs.trace, ours.trace].map((trace) => trace.filter(([word]) => word === 'undo').map(errorsIn));
  if (text(undone) !== text(mineUndone)) found.push(['undone in order', undone, mineUndone]);
  return found;
}

/** Lists what differs between the calls that were recorded straight, and those of a server that was killed again and again. */
export function calls(straight, killed) {
  const [once, again] = [straight, killed].map((end) => end.calls.map(({ asked, attempts, stage }) => [asked.what, asked.name, attempts, stage]));
  return text(once) === text(again) ? [] : [['calls', once, again]];
}

const text = (value) => JSON.stringify(value) ?? 'undefined';

function canonical(status, output, error) {
  return { status, output: status === 'complete' ? errorsIn(output ?? null) : undefined, error: status === 'errored' ? ofError(error.name, error.message) : undefined };
}

// Where a program caught an error, and put its name and message into its result.
function errorsIn(value) {
  if (Array.isArray(value)) return value.map(errorsIn);
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value.caught) && Object.keys(value).length === 1) return { caught: ofError(...value.caught) };
  // The order of keys is no part of JSON, and stays the same on both anyway.
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, errorsIn(inner)]));
}

// "a failure's name": there, a name that JavaScript itself has not becomes part of the message. Here, a message has its place at the end.
// "a wait that times out": an `Error` there, a `TimeoutError` with words of its own here.
function ofError(name, message) {
  const plain = message.replace(/ \(at [^()]*:\d+:\d+\)$/, '');
  if (name === 'TimeoutError' || /timed out after \d+ms/.test(plain)) return 'timed out';
  return BUILT_IN.includes(name) ? `${name}: ${plain}` .replace(/^Error: (?=[A-Z]\w*: )/, '') : `${name}: ${plain}`;
}
