//! The bodies of steps: what a body gets is gone with it, and how its end is recorded. A body that is done does not run again.

use crate::support;
use crate::support::script;
use receipt::Decision;
use serde_json::Value;
use serde_json::json;

const ACTION: &str =
    "const resource = 'cloudflare://workers/acme/app', artifact = { name: 'a.js', text: 'x' };
    const action = { capability: 'cloudflare.dynamic-worker.deploy', resource, reason: 'x', artifact };";

fn end(body: &str) -> engine::Status {
    let harness = script::harness();
    let key = script::start(&harness.host, &script::workflow(&format!("{ACTION}\n{body}")), &json!({}));
    harness.finish(&key, Decision::Approved, &[])
}

fn fails(body: &str) -> (String, String) {
    support::failure(&end(body))
}

fn returns(body: &str) -> Value {
    support::result(&end(body))
}

#[test]
fn a_receipt_of_a_step_is_gone_when_the_step_ends() {
    for deploys in [
        "env.CLOUDFLARE.deploy({ receiptId, resource, artifact })",
        "env.CLOUDFLARE.deploy({ receiptId })",
        "step.do('deploy', { retries: { limit: 0 } }, async () => env.CLOUDFLARE.deploy({ receiptId, resource, artifact }))",
    ] {
        let (name, message) = fails(&format!(
            "const receiptId = await step.do('ask', async () => (await env.PP.requireApproval(action)).receiptId);
             const done = await {deploys};
             await step.sleep('settle', 1000);
             return done;"
        ));
        assert_eq!(name, "InvalidDeploymentError", "{deploys}: {message}");
        assert!(message.contains("gone when the step ends"), "{deploys}: {message}");
    }
}

#[test]
fn a_step_deploys_what_was_approved_in_it_or_in_a_step_around_it() {
    for deploys in [
        "await env.CLOUDFLARE.deploy({ receiptId: approval.receiptId })",
        "await step.do('deploy', async () => { await step.sleep('a while', 10); return env.CLOUDFLARE.deploy({ receiptId: approval.receiptId }); })",
    ] {
        let done = returns(&format!(
            "return step.do('all', async () => {{ const approval = await env.PP.requireApproval(action); return {deploys}; }});"
        ));
        assert_eq!(done["resource"], "cloudflare://workers/acme/app", "{deploys}");
    }
}

#[test]
fn an_approval_inside_a_step_is_no_event() {
    let (name, message) = fails(
        "await step.do('ask', async () => { await env.PP.requireApproval(action); });
         await step.waitForEvent('decided', { type: 'pp-approval' });",
    );
    assert_eq!(name, "NeverSettlesError", "{message}");
    let (name, message) = fails(
        "void env.PP.requireApproval(action).catch(() => {});
         await step.do('wait', { retries: { limit: 0 } }, async () => { await step.waitForEvent('decided', { type: 'pp-approval' }); });",
    );
    assert_eq!(name, "ApprovalInsideStepError", "{message}");
}

#[test]
fn what_a_body_threw_is_recorded_and_not_what_it_left_behind() {
    let body = "let tried = 0;
        const check = (n) => { if (n === 0) { tried += 1; throw new RangeError(`try ${tried}`); } };
        try {
          await step.do('sync', { retries: { limit: 2, delay: 1000 } }, async () => {
            await Promise.all([0, 1].map(async (n) => { check(n); await step.do(`save ${n}`, async () => n); }));
          });
        } catch (error) { return [error.name, error.message]; }";
    let harness = script::harness();
    let key = script::start(&harness.host, &script::workflow(body), &json!({}));
    let end = harness.finish(&key, Decision::Approved, &[]);
    assert_eq!(support::result(&end)[0], "RangeError");
    assert_eq!(harness.count(&key, "attempt-failed"), 2, "{:?}", harness.entries(&key));
}

#[test]
fn a_rejection_without_a_reason_is_a_mistake_too() {
    let (_, message) = fails("await step.do('a', async () => { void Promise.reject(); return 1; });");
    assert!(message.starts_with("undefined (at workflow.js:"), "{message}");
}

#[test]
fn a_body_that_waits_for_what_began_outside_of_it_says_so() {
    let (name, message) = fails(
        "const outer = step.do('config', async () => ({ x: 1 }));
         await step.do('use', { retries: { limit: 0 } }, async () => (await outer).x);",
    );
    assert_eq!(name, "NeverSettlesError", "{message}");
    assert!(message.contains("begun outside of it: await that before the step"), "{message}");
}

/// A drive after a pause skips the body that has deployed.
#[test]
fn a_receipt_is_spent_whether_or_not_the_body_that_spent_it_runs_again() {
    for pause in ["", "await step.sleep('a while', 1000);"] {
        let ended = returns(&format!(
            "const {{ receiptId }} = await env.PP.requireApproval(action);
             await step.do('deploy', async () => (await env.CLOUDFLARE.deploy({{ receiptId }})).id);
             {pause}
             try {{ await env.CLOUDFLARE.deploy({{ receiptId }}); }} catch (error) {{ await step.sleep('settle', 1000); return [error.name, error.check]; }}"
        ));
        assert_eq!(ended, json!(["GateRefusedError", "redemption"]), "{pause}");
    }
}

#[test]
fn a_receipt_that_was_refused_for_one_artifact_serves_for_another_in_any_drive() {
    for delay in [0, 2000] {
        let ended = returns(&format!(
            "const {{ receiptId }} = await env.PP.requireApproval(action);
             return step.do('deploy', {{ retries: {{ limit: 1, delay: {delay} }} }}, async ({{ attempt }}) => {{
               const done = await env.CLOUDFLARE.deploy({{ receiptId, artifact: attempt === 1 ? {{ name: 'a.js', text: 'other' }} : undefined }});
               return [attempt, done.artifact];
             }});"
        ));
        assert_eq!(ended, json!([2, "a.js"]), "a delay of {delay} ms");
    }
}

#[test]
fn a_body_handles_no_rejection_of_what_began_outside_of_it() {
    for pause in ["", "await step.sleep('a while', 1000);"] {
        let (_, message) = fails(&format!(
            "const outer = step.do('a', {{ retries: {{ limit: 0 }} }}, async () => {{ throw new Error('boom'); }});
             await step.do('z', async () => 0);
             const handled = await step.do('b', async () => {{ try {{ return await outer; }} catch {{ return 'handled'; }} }});
             {pause}
             return handled;"
        ));
        assert!(message.starts_with("boom"), "{pause}: {message}");
    }
}
