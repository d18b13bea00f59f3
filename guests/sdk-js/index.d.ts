/// <reference path="./globals.d.ts" />

// Types for workflows on a Permission Protocol host. The modules have the names that they have on Cloudflare; docs/javascript.md says what is
// the same and what is not.

/** What JSON can say. Results of steps, results of workflows, parameters and events are recorded as this. */
type Json = null | boolean | number | string | Json[] | { [key: string]: Json | undefined };

/** A number of milliseconds, or a text such as "10 seconds". */
type WorkflowDuration =
  | number
  | `${number} ${'millisecond' | 'second' | 'minute' | 'hour' | 'day' | 'week' | 'month' | 'year'}${'' | 's'}`;

interface WorkflowBackoffContext {
  ctx: { step: { name: string }; attempt: number; config: WorkflowTries };
  error: Error;
}

interface WorkflowTries {
  retries?: {
    /** How often the step is tried again. Default 5: six attempts in all. */
    limit?: number;
    /** How long before the second attempt, or a function that says how long before the next. Default 10 seconds. */
    delay?: WorkflowDuration | ((context: WorkflowBackoffContext) => WorkflowDuration | Promise<WorkflowDuration>);
    /** How the delay grows. Default exponential. */
    backoff?: 'constant' | 'linear' | 'exponential';
  };
  /** How long an attempt may take. Default 10 minutes. */
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
  /** Runs the function once, and records what it returns. A later run is handed the recorded result. */
  do<T>(name: string, callback: (ctx: WorkflowAttempt) => T | Promise<T>, rollback?: WorkflowRollback<T>): Promise<T>;
  do<T>(
    name: string,
    config: WorkflowTries,
    callback: (ctx: WorkflowAttempt) => T | Promise<T>,
    rollback?: WorkflowRollback<T>,
  ): Promise<T>;
  sleep(name: string, duration: WorkflowDuration): Promise<void>;
  sleepUntil(name: string, moment: Date | number): Promise<void>;
  /** The event `pp-approval` comes from the host alone, when a request of this workflow was approved. */
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
  /** What is to be done, dotted: `cloudflare.dynamic-worker.deploy`. */
  capability: string;
  /** What it is done to: `cloudflare://workers/acme/app`. */
  resource: string;
  /** Why. An approver sees it marked as the workflow's words. */
  reason?: string;
  /** Anything that helps to judge. */
  evidence?: unknown;
  /** What is approved: these bytes and no others. Without it, the artifact that the evidence names is the evidence itself. */
  artifact?: Artifact;
  [other: string]: unknown;
}

/** A signed receipt. It is spent by its id; the document opens nothing. */
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
   * A denial is an error named ApprovalDeniedError; a request that was taken back, or that nobody decided in time, is an
   * ApprovalWithdrawnError or an ApprovalExpiredError.
   */
  requireApproval(action: ApprovalAction): Promise<Approval>;
}

interface CloudflareBinding {
  /** Deploys what was approved, spending the receipt. */
  deploy(what: {
    /** What was approved, or the name of it. */
    artifact?: string | Artifact;
    resource?: string;
    receiptId?: string;
    receipt?: Receipt | Approval | string;
  }): Promise<Deployment>;
}

/** What a workflow has as `this.env`. */
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
    protected ctx: { waitUntil(promise: Promise<unknown>): void; props: Record<string, unknown> };
    protected env: E;
    constructor(ctx: unknown, env: E);
    abstract run(event: WorkflowEvent<Params>, step: WorkflowStep): Promise<unknown>;
  }

  /** Tolerated beside a workflow, and never run. */
  export class WorkerEntrypoint<E = Env> {
    protected env: E;
    constructor(ctx: unknown, env: E);
  }

  export class RpcTarget {}

  export const env: Env;
}

declare module 'cloudflare:workflows' {
  /** A step that throws this is not tried again. */
  export class NonRetryableError extends Error {
    constructor(message: string, name?: string);
  }
}
