// What a workflow gets as `env`: asking for permission, and what can be done with it.

import { DateISO, ObjectFreeze, Parse, Queue, SafeMap, StringWellFormed, Date_, deferred } from 'pp:primordials';
import { here, named, placedAt, printed, refusal } from 'pp:errors';
import { ask, currentScope, goesOn, isInsideStep, isOpen } from 'pp:loop';
import { bytesOf, canonical, toJson } from 'pp:json';
import { startedBy, waitEntry } from 'pp:step';

// The event through which a workflow hears of a decision. Nobody can send it: it comes from the receipt itself.
export const RESERVED = 'pp-approval';

// What was approved, and in which scope, by the receipt's id: what a deployment leaves out is taken from here. It permits nothing; the gate looks at
// the receipt. What was deployed stays here: a body that deployed does not run again, so only the host knows which receipts are spent.
const approved = new SafeMap();
const decisions = new Queue();
const listeners = new Queue();

let utf8;
let now;

export function connectAuthority(natives) {
  utf8 = natives.encode;
  now = natives.now;
}

class PermissionProtocol {
  requireApproval(action) {
    if (action === null || typeof action !== 'object') throw named('TypeError', `requireApproval: the action is ${printed(action)}, and has to be an object`);
    return ask(approvalEntry(asked(action), here(called.requireApproval)));
  }
}

// What is asked for, read once.
function asked(action) {
  const { capability, resource, reason } = action;
  const text = (value, key) => {
    if (typeof value === 'string') return StringWellFormed(value);
    throw named('TypeError', `requireApproval: ${key} is ${printed(value)}, and has to be a text`);
  };
  const evidence = toJson(action.evidence ?? {}, 'the evidence');
  return {
    __proto__: null,
    action: Parse(toJson({ ...action, artifact: undefined }, 'the action')),
    capability: text(capability, 'capability'),
    resource: text(resource, 'resource'),
    reason: text(reason ?? '', 'reason'),
    evidence,
    artifact: artifactOf(action.artifact, Parse(evidence)),
  };
}

// The bytes that the action is about. If the evidence names an artifact and the action has no bytes, the bytes are the canonical JSON of the evidence:
// a decider then approves the description, and the request says so.
function artifactOf(artifact, evidence) {
  if (artifact !== undefined && artifact !== null) return contentOf(artifact, 'requireApproval');
  const name = evidence?.artifact;
  return typeof name === 'string' ? { name, bytes: utf8(canonical(evidence)) } : undefined;
}

function contentOf(artifact, what) {
  const name = typeof artifact.name === 'string' ? StringWellFormed(artifact.name) : artifact.name;
  if (typeof name !== 'string') throw named('TypeError', `${what}: artifact.name is ${printed(name)}, and has to be a text`);
  const { bytes, text } = artifact;
  if (typeof text === 'string') return { name, bytes: utf8(text) };
  const content = bytesOf(bytes);
  if (content) return { name, bytes: content };
  throw named('TypeError', `${what}: the artifact "${name}" has no content: give it bytes (a Uint8Array) or text`);
}

function approvalEntry(request, stack) {
  const entry = {
    __proto__: null,
    ...deferred(),
    what: `the request to "${request.capability}"`,
    stack,
    begin(native) {
      const { capability, resource, reason, evidence, artifact } = request;
      goesOn(entry, startedBy('InvalidActionError', () => native.startApproval(capability, resource, reason, evidence, artifact?.name, artifact?.bytes)));
    },
    told(ready) {
      if (ready.kind !== 'granted') {
        entry.reject(placedAt(refused(ready), stack));
        return;
      }
      const receipt = new Receipt(ready.receipt, ready.text);
      approved.set(receipt.id, { __proto__: null, request, scope: currentScope() });
      entry.resolve(decision(request, receipt));
      // The body of a step that is done does not run again, so on a later drive this would not be announced.
      if (!isInsideStep()) announce(receipt);
    },
  };
  return entry;
}

// What was asked and what was decided, in one object.
function decision(request, receipt) {
  return { ...request.action, decision: 'approved', status: 'approved', requestId: receipt.requestId, receiptId: receipt.id, id: receipt.id, receipt };
}

class Receipt {
  #text;

  constructor(id, text) {
    this.id = id;
    this.#text = text;
  }

  // The signed receipt, as data. It opens nothing.
  get document() {
    return Parse(this.#text);
  }

  get requestId() {
    const document = this.document;
    return document.requestId ?? document.request_id;
  }
}

function refused({ kind, name, text, reason, receipt }) {
  switch (kind) {
    case 'denied':
      return refusal('ApprovalDeniedError', `${name} denied the request${reason ? `: ${reason}` : ''}`, {
        decision: 'denied', requestId: text, receiptId: receipt, decider: name, reason,
      });
    case 'withdrawn':
      return refusal('ApprovalWithdrawnError', `the request was withdrawn${reason ? `: ${reason}` : ''}`, { decision: 'withdrawn', requestId: text, reason });
    case 'expired':
      return refusal('ApprovalExpiredError', 'the request was not decided in time', { decision: 'expired', requestId: text });
    default:
      return named('InvalidActionError', text);
  }
}

function announce(receipt) {
  const event = { type: RESERVED, payload: { receiptId: receipt.id, requestId: receipt.requestId, decision: 'approved' }, timestamp: new Date_(now()) };
  let listener = listeners.shift();
  while (listener?.isOver) listener = listeners.shift();
  if (listener) {
    listener.isOver = true;
    listener.resolve(event);
  } else decisions.push(event);
}

// The decision that was not waited for yet, or the next one.
export function nextApproval(title, timeout, stack) {
  if (isInsideStep()) {
    throw named('ApprovalInsideStepError', `the wait "${title}": ${RESERVED} can be waited for only outside of steps, because the body of a step that is done does not run again; inside, use what requireApproval returns`);
  }
  const event = decisions.shift();
  const listener = { ...deferred(), isOver: false };
  if (event) listener.resolve(event);
  else {
    listeners.push(listener);
    if (timeout !== undefined) giveUp(listener, title, timeout, stack);
  }
  return listener.promise;
}

async function giveUp(listener, title, timeout, stack) {
  let error;
  try {
    await ask(waitEntry(`the wait "${title}"`, 'wait-rejected', stack, (native) => native.startSleep(title, timeout)));
    error = placedAt(named('TimeoutError', `the wait "${title}" timed out: no decision came until ${DateISO(new Date_(now()))}`), stack);
  } catch (refused_) {
    error = refused_;
  }
  if (listener.isOver) return;
  listener.isOver = true;
  listener.reject(error);
}

class Cloudflare {
  deploy(what) {
    if (what === null || typeof what !== 'object') throw named('TypeError', `deploy: ${printed(what)} is not { resource, artifact, receipt }`);
    return ask(deployEntry(deployment(what), here(called.deploy)));
  }
}

// { artifact, receiptId }, or { resource, artifact: { name, bytes | text }, receipt }.
function deployment(what) {
  const id = receiptOf(what);
  const known = approvedUnder(id);
  let { artifact } = what;
  if (artifact === undefined || typeof artifact === 'string') {
    if (!known.artifact) throw named('InvalidDeploymentError', `deploy: no artifact was approved under the receipt ${id}: give { artifact: { name, bytes } }`);
    if (artifact !== undefined && artifact !== known.artifact.name) {
      throw named('InvalidDeploymentError', `deploy: the artifact is "${artifact}", and "${known.artifact.name}" was approved under the receipt ${id}`);
    }
    artifact = known.artifact;
  } else {
    artifact = contentOf(artifact, 'deploy');
  }
  const resource = what.resource ?? known.resource;
  if (typeof resource !== 'string') throw named('TypeError', `deploy: resource is ${printed(resource)}, and has to be a text`);
  return { __proto__: null, id, resource, artifact };
}

// What was approved under a receipt that is held here. What the body of a step holds is gone with the body, which does not run again.
function approvedUnder(id) {
  const known = approved.get(id);
  if (known && isOpen(known.scope)) return known.request;
  throw named('InvalidDeploymentError', `deploy: ${id} is no receipt that this workflow holds here. The receipt of a request inside a step is gone when the step ends: ask outside of the step, or deploy inside it`);
}

function receiptOf({ receiptId, receipt }) {
  const id = receiptId ?? (typeof receipt === 'string' ? receipt : receipt?.receiptId ?? receipt?.id);
  if (typeof id === 'string' && id !== '') return id;
  throw named('MissingReceiptError', 'deploy: there is no receipt: await env.PP.requireApproval(…) and pass its receiptId');
}

function deployEntry({ id, resource, artifact }, stack) {
  const entry = {
    __proto__: null,
    ...deferred(),
    what: `the deployment to "${resource}"`,
    stack,
    begin(native) {
      const ended = native.deploy(resource, artifact.name, artifact.bytes, id);
      if (ended.kind === 'done') {
        entry.resolve({ id: ended.name, location: ended.text, artifactSha256: ended.digest, receiptId: ended.receipt, artifact: artifact.name, resource });
      } else entry.reject(placedAt(notDeployed(ended), stack));
    },
    told() {},
  };
  return entry;
}

function notDeployed({ kind, name, text }) {
  switch (kind) {
    case 'refused':
      return refusal('GateRefusedError', text, { check: name });
    case 'unknown':
      return refusal('DeploymentUnknownError', text);
    case 'failed':
      return refusal('DeploymentFailedError', text);
    default:
      return refusal('InvalidDeploymentError', text);
  }
}

const called = { __proto__: null, requireApproval: PermissionProtocol.prototype.requireApproval, deploy: Cloudflare.prototype.deploy };

export const env = { PP: ObjectFreeze(new PermissionProtocol()), CLOUDFLARE: ObjectFreeze(new Cloudflare()), TENANT_ID: '' };
