// The programs on Cloudflare's local engine.

const TRACE = 'export const traces = new Map();\nexport const traced = (number) => { const lines = []; traces.set(number, lines); return (line) => { lines.push(line); }; };\n';
const WORKER = `
export { Workflow } from './workflow.js';
import { traces } from './trace.js';
export default {
  async fetch(request, env) {
    const { op, number, type, payload } = await request.json();
    if (op === 'create') await env.W.create({ id: 'p' + number, params: { number } });
    if (op === 'send') await (await env.W.get('p' + number)).sendEvent({ type, payload });
    if (op === 'status') return Response.json({ ...(await (await env.W.get('p' + number)).status()), trace: traces.get(number) ?? [] });
    return Response.json({});
  },
};
`;

/** Runs all of them at once, and says how each ended: `{ status, output, error, trace }`. */
export async function onCloudflare(Miniflare, programs, sources, { patience }) {
  const text = { ...sources, 'trace.js': TRACE, 'worker.js': WORKER };
  const order = ['worker.js', ...Object.keys(text).filter((name) => name !== 'worker.js')];
  const engine = new Miniflare({
    modules: order.map((path) => ({ type: 'ESModule', path, contents: text[path] })),
    compatibilityDate: '2026-04-01',
    workflows: { W: { name: 'w', className: 'Workflow' } },
  });
  const ask = async (body) => (await engine.dispatchFetch('http://host/', { method: 'POST', body: JSON.stringify(body) })).json();
  try {
    await Promise.all(programs.map((program, number) => begin(ask, program, number)));
    return await Promise.all(programs.map((_, number) => ended(ask, number, patience)));
  } finally {
    await engine.dispose();
  }
}

async function begin(ask, program, number) {
  await ask({ op: 'create', number });
  for (const early of [true, false]) {
    for (const { type, payload } of program.events.filter((event) => event.early === early)) await ask({ op: 'send', number, type, payload });
    await pause(700);
  }
}

async function ended(ask, number, patience) {
  for (let waited = 0; ; waited += 100) {
    const seen = await ask({ op: 'status', number });
    if (seen.status === 'complete' || seen.status === 'errored') return seen;
    if (waited > patience) return { ...seen, status: `still ${seen.status}` };
    await pause(100);
  }
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));
