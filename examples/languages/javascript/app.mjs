// A workflow in JavaScript as a component of its own, built by `componentize-js`; see build.sh. For most purposes source text is
// better: `pp-host run workflow.js` needs no build and loads in milliseconds (docs/javascript.md).
import { Attempt } from 'permission-protocol:tenant/workflow@0.2.0';
import { requireApproval } from 'permission-protocol:tenant/pp@0.2.0';
import { deploy } from 'permission-protocol:tenant/deploy@0.2.0';

const CAPABILITY = 'cloudflare.dynamic-worker.deploy';

/** Runs the work once. Every later run gets the recorded result. */
async function stepRun(step, name, work) {
  const begun = step.begin(name);
  if (begun.tag === 'done') return JSON.parse(begun.val);
  const result = await work();
  Attempt.complete(begun.val, JSON.stringify(result));
  return result;
}

async function build() {
  // Clocks and random numbers follow from the instance. There is no network: the error is an ordinary exception.
  let network = 'reached';
  try {
    await fetch('http://192.0.2.1/', { method: 'POST', headers: { 'x-a': 'b' }, body: 'c' });
  } catch (error) {
    network = `refused: ${error.name}`;
  }
  console.log('built');
  return { network, built_at: Math.floor(Date.now() / 1000), dice: Math.floor(Math.random() * 6) + 1 };
}

export const entrypoint = {
  async run(event, step) {
    const { resource } = JSON.parse(event.payload);
    const built = await stepRun(step, 'build', build);
    const artifact = { name: 'app.js', bytes: new TextEncoder().encode('export default {}') };
    const evidence = JSON.stringify(built);
    let receipt;
    try {
      receipt = requireApproval({ capability: CAPABILITY, resource, reason: 'the first version', evidence, artifact });
    } catch (refused) {
      // An error of a function of the world is in `payload`; if it is thrown, it becomes the workflow's failure.
      throw { name: 'not-approved', message: refused.payload.tag };
    }
    const deployment = deploy(resource, artifact, receipt);
    return JSON.stringify({ built, deployed: deployment.artifactSha256 });
  },
};
