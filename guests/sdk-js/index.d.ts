/// <reference path="./globals.d.ts" />

// Types for workflows on a Permission Protocol host. The modules have the names that they have on Cloudflare; docs/javascript.md says what is
// the same and what differs.

/** A JSON value. Results of steps and workflows, parameters and events are recorded as JSON. */
type Json = null | boolean | number | string | Json[] | { [key: string]: Json | undefined };

/** A number of milliseconds, or a string such as "10 seconds". */
type WorkflowDuration =
  | number
  | `${number} ${'millisecond' | 'second' | 'minute' | 'hour' | 'day' | 'week' | 'month' | 'year'}${'' | 's'}`;

interface WorkflowBackoffContext {
  ctx: { step: { name: string }; attempt: number; config: WorkflowTries };
  error: Error;
}

interface WorkflowTries {
  retries?: {
    /** The number of retries. Default 5: six attempts in all. */
    limit?: number;
    /** The delay before the second attempt, or a function that returns the delay before the next. Default 10 seconds. */
    delay?: WorkflowDuration | ((context: WorkflowBackoffContext) => WorkflowDuration | Promise<WorkflowDuration>);
    /** How the delay grows. Default exponential. */
    backoff?: 'constant' | 'linear' | 'exponential';
  };
  /** The time limit of an attempt. Default 10 minutes. */
  timeout?: WorkflowDuration;
}

interface WorkflowAttempt {
  step: { name: string; count: number };
  attempt: number;
  config: WorkflowTries;
}

interface WorkflowRollback<T> {
  /** Undoes the step when the workflow fails. The last step is undone first. */
  rollback?: (undo: { ctx: WorkflowAttempt; stepName: string; error: Error; output: T | undefined }) => unknown;
  rollbackConfig?: WorkflowTries;
}

interface WorkflowEventOf<T> {
  /** The parameters that the instance was started with. */
  payload: Readonly<T>;
  /** When the instance was started. */
  timestamp: Date;
  instanceId: string;
  workflowName: string;
}

interface WorkflowStepOf {
  /** Runs the function once, and records its result. Later runs get the recorded result. */
  do<T>(name: string, callback: (ctx: WorkflowAttempt) => T | Promise<T>, rollback?: WorkflowRollback<T>): Promise<T>;
  do<T>(
    name: string,
    config: WorkflowTries,
    callback: (ctx: WorkflowAttempt) => T | Promise<T>,
    rollback?: WorkflowRollback<T>,
  ): Promise<T>;
  sleep(name: string, duration: WorkflowDuration): Promise<void>;
  sleepUntil(name: string, moment: Date | number): Promise<void>;
  /** The event `pp-approval` comes only from the host, when a request of this workflow is approved. */
  waitForEvent(name: string, options: { type: 'pp-approval'; timeout?: WorkflowDuration }): Promise<ReceivedEvent<ApprovalPayload>>;
  waitForEvent<T = any>(name: string, options: { type: string; timeout?: WorkflowDuration }): Promise<ReceivedEvent<T>>;
}

interface ReceivedEvent<T> {
  type: string;
  payload: Readonly<T>;
  timestamp: Date;
}

interface ApprovalPayload {
  receiptId: string;
  requestId: string;
  decision: 'approved';
}

/** Bytes, or text, with a name. */
type Artifact = { name: string; bytes: Uint8Array | ArrayBuffer } | { name: string; text: string };

/** A risky action, in full. */
interface ApprovalAction {
  /** The capability's dotted name: `cloudflare.dynamic-worker.deploy`. */
  capability: string;
  /** The resource that it acts on: `cloudflare://workers/acme/app`. */
  resource: string;
  /** The reason. An approver sees it marked as the workflow's words. */
  reason?: string;
  /** Facts that help the approver to decide. */
  evidence?: unknown;
  /** The bytes to approve; only these can be deployed. Without it, an artifact that the evidence names is the evidence itself. */
  artifact?: Artifact;
  [other: string]: unknown;
}

/** A signed receipt. `deploy` spends it by its id; a copy of the document permits nothing. */
interface Receipt {
  readonly id: string;
  readonly requestId: string;
  readonly document: Json;
}

type Approval = ApprovalAction & {
  decision: 'approved';
  requestId: string;
  receiptId: string;
  id: string;
  receipt: Receipt;
};

interface Deployment {
  id: string;
  location: string;
  artifactSha256: string;
  receiptId: string;
  artifact: string;
  resource: string;
}

interface PermissionProtocol {
  /**
   * Asks for permission, and waits for the decision however long that takes.
   *
   * A denial throws an error named ApprovalDeniedError; a request that is withdrawn, or not decided in time, throws an
   * ApprovalWithdrawnError or an ApprovalExpiredError.
   */
  requireApproval(action: ApprovalAction): Promise<Approval>;
}

interface CloudflareBinding {
  /** Deploys the approved artifact, and spends the receipt. */
  deploy(what: {
    /** The approved artifact, or its name. */
    artifact?: string | Artifact;
    resource?: string;
    receiptId?: string;
    receipt?: Receipt | Approval | string;
  }): Promise<Deployment>;
}

/** The type of `this.env`. */
interface Env {
  readonly PP: PermissionProtocol;
  readonly CLOUDFLARE: CloudflareBinding;
  readonly TENANT_ID: string;
}

declare module 'cloudflare:workers' {
  export type WorkflowEvent<T> = WorkflowEventOf<T>;
  export type WorkflowStep = WorkflowStepOf;
  export type WorkflowStepConfig = WorkflowTries;
  export type WorkflowStepContext = WorkflowAttempt;
  export type WorkflowSleepDuration = WorkflowDuration;

  export abstract class WorkflowEntrypoint<E = Env, Params = unknown> {
    protected ctx: { waitUntil(promise: Promise<unknown>): void; passThroughOnException(): void; props: Record<string, unknown> };
    protected env: E;
    constructor(ctx: unknown, env: E);
    abstract run(event: WorkflowEvent<Params>, step: WorkflowStep): Promise<unknown>;
  }

  /** Allowed in a workflow's module, and never run. */
  export class WorkerEntrypoint<E = Env> {
    protected env: E;
    constructor(ctx: unknown, env: E);
  }

  /** Allowed in a workflow's module, and never run. */
  export class DurableObject<E = Env> {
    protected ctx: unknown;
    protected env: E;
    constructor(ctx: unknown, env: E);
  }

  export class RpcTarget {}

  export const env: Env;
}

declare module 'cloudflare:workflows' {
  /** A step that throws this error is not tried again. */
  export class NonRetryableError extends Error {
    constructor(message: string, name?: string);
  }
}
