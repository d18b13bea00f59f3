import { WorkflowEntrypoint, WorkflowEvent, WorkflowStep } from 'cloudflare:workers';
import { worker } from './worker';

type Params = { app: string };

export class Deploy extends WorkflowEntrypoint<Env, Params> {
  async run(event: WorkflowEvent<Params>, step: WorkflowStep) {
    const built = await step.do('build', async () => worker(event.payload.app));

    const artifact = { name: 'worker.js', text: built.code };
    const resource = `cloudflare://workers/${this.env.TENANT_ID}/${event.payload.app}`;
    const approval = await this.env.PP.requireApproval({
      capability: 'cloudflare.dynamic-worker.deploy',
      resource,
      reason: 'the first version of the app',
      evidence: { lines: built.lines },
      artifact,
    });

    return this.env.CLOUDFLARE.deploy({ resource, artifact, receipt: approval.receipt });
  }
}
