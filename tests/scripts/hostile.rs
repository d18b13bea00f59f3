//! Scripts that try to exhaust, break or circumvent the engine. Each is ended with a named failure, or has no effect,
//! and the host continues.

use crate::support;
use crate::support::script;
use ::sandbox::SandboxLimits;
use engine::Host;
use engine::Status;
use receipt::Decision;
use serde_json::json;

/// The replacements that the drill's attack `script-pollutes` makes.
const POLLUTES: &str = include_str!("../../crates/drill/src/guests/pollutes.js");

/// Small limits, so that endless scripts end soon.
fn limits() -> SandboxLimits {
    SandboxLimits { fuel: 6_000_000_000, memory_bytes: 32 << 20, ..SandboxLimits::default() }
}

fn end(body: &str) -> Status {
    let harness = script::harness_with(|builder| builder.sandbox(limits()));
    let key = script::start(&harness.host, &script::workflow(body), &json!({}));
    let end = harness.finish(&key, Decision::Approved, &[]);
    let after = script::start(&harness.host, &script::workflow("return 'alive';"), &json!({}));
    assert_eq!(harness.result(&after), "alive");
    end
}

#[test]
fn what_never_ends_is_ended() {
    for body in [
        "for (;;) {}",
        "for (;;) await null;",
        "await step.do('a', { retries: { limit: 0 } }, async () => { for (;;) await null; });",
        "/(a+)+$/.test('a'.repeat(40) + 'b');",
    ] {
        let (name, message) = support::failure(&end(body));
        assert!(name == "limit-exceeded" && message.contains("fuel"), "{body}: {name}: {message}");
    }
}

#[test]
fn what_fills_memory_is_ended() {
    for body in [
        "const all = []; for (;;) all.push(new Uint8Array(1 << 20));",
        "let text = 'x'; for (;;) text += text;",
        "return 'x'.repeat(1 << 29).length + 'y'.repeat(1 << 29).split('').length;",
        "return new Array(1e8).fill(1).length;",
        "const again = () => Promise.resolve().then(again); await again();",
    ] {
        let (name, message) = support::failure(&end(body));
        assert!(
            matches!(name.as_str(), "limit-exceeded" | "InternalError" | "RangeError" | "Error"),
            "{body}: {name}: {message}"
        );
    }
}

#[test]
fn endless_recursion_is_an_error_that_can_be_caught() {
    for body in [
        "const f = () => f() + 1; try { f(); } catch (error) { return error.name; }",
        "const f = (x) => [x].map(f); try { f(1); } catch (error) { return error.name; }",
        "try { JSON.parse('['.repeat(200000)); } catch (error) { return error.name; }",
        "let deep = []; for (let n = 0; n < 100000; n += 1) deep = [deep]; try { JSON.stringify(deep); } catch (error) { return error.name; }",
        "try { new RegExp('('.repeat(100000)); } catch (error) { return error.name === 'SyntaxError' ? 'RangeError' : error.name; }",
    ] {
        match end(body) {
            Status::Completed(name) => {
                assert!(name.contains("RangeError") || name.contains("InternalError"), "{body}: {name}")
            }
            other => panic!("{body}: {other:?}"),
        }
    }
    let (name, _) = support::failure(&end(
        "let deep = []; for (let n = 0; n < 100000; n += 1) deep = [deep]; return deep;",
    ));
    assert_eq!(name, "NotJsonError");
}

#[test]
fn a_workflow_that_changes_the_built_ins_breaks_its_own_work_at_most() {
    let works = "
        const first = await step.do('a', async () => ({ n: [1, 2] }));
        await step.sleep('b', 10);
        return { first, n: await step.do('c', { retries: { limit: 1, delay: 5 } }, async (ctx) => { if (ctx.attempt === 1) throw new TypeError('x'); return 2; }) };";
    match end(&format!("{POLLUTES}{works}")) {
        Status::Completed(result) => assert_eq!(result, r#"{"first":{"n":[1,2]},"n":2}"#),
        other => panic!("{other:?}"),
    }
}

#[test]
fn proxies_and_getters_are_read_like_anything_else() {
    for body in [
        "return await step.do('a', new Proxy(async () => 1, {}));",
        "try { await step.do('a', { get retries() { throw new Error('trap'); } }, async () => 1); } catch (error) { return error.message; }",
        "try { await env.PP.requireApproval(new Proxy({}, { get() { throw new Error('trap'); }, ownKeys() { throw new Error('trap'); } })); } catch (error) { return error.message; }",
        "try { await step.do('a', { retries: { limit: 0 } }, async () => ({ get x() { throw new Error('trap'); } })); } catch (error) { return error.message; }",
        "try { await step.waitForEvent('a', { get type() { throw new Error('trap'); } }); } catch (error) { return error.message; }",
        "try { await step.do({ toString() { throw new Error('trap'); } }, async () => 1); } catch (error) { return error.message; }",
        "throw new Proxy(new Error('trap'), { get() { throw new Error('deeper'); } });",
        "throw { toString() { throw new Error('trap'); } };",
    ] {
        match end(body) {
            Status::Completed(_) | Status::Failed(_) => {}
            other => panic!("{body}: {other:?}"),
        }
    }
}

#[test]
fn a_forged_receipt_or_event_opens_nothing() {
    for receipt in [
        "'rcpt_00000000000000000000000'",
        "{ id: 'rcpt_forged', receiptId: 'rcpt_forged' }",
        "approval.receipt.document",
    ] {
        let body = format!(
            "const approval = await env.PP.requireApproval({{ capability: 'other.thing', resource: 'r', reason: 'x' }});
             return env.CLOUDFLARE.deploy({{ resource: 'cloudflare://workers/acme/app', artifact: {{ name: 'a.js', text: 'x' }}, receipt: {receipt} }});"
        );
        let (name, message) = support::failure(&end(&body));
        assert!(
            matches!(name.as_str(), "InvalidDeploymentError" | "MissingReceiptError"),
            "{receipt}: {name}: {message}"
        );
    }
    let twice = "const artifact = { name: 'a.js', text: 'x' }, resource = 'cloudflare://workers/acme/app';
        const { receipt } = await env.PP.requireApproval({ capability: 'cloudflare.dynamic-worker.deploy', resource, reason: 'x', artifact });
        await env.CLOUDFLARE.deploy({ resource, artifact, receipt });
        return env.CLOUDFLARE.deploy({ resource, artifact, receipt });";
    let (name, message) = support::failure(&end(twice));
    assert!(name == "GateRefusedError" && message.contains("was spent"), "{name}: {message}");
}

/// QuickJS hands `prepareStackTrace` the functions of all frames.
#[test]
fn no_stack_leads_to_the_functions_of_the_engine() {
    let body = "let leaked = 'nothing', functions = [];
        Error.prepareStackTrace = (_, frames) => { functions = frames.map((frame) => frame.getFunction?.()); return undefined; };
        return step.do('a', async () => {
          void new Error('x').stack;
          const begin = functions.find((one) => one?.name === 'beginEntry');
          begin?.({ begin(natives) { leaked = Object.keys(natives).join(); }, reject() {} });
          return leaked + functions.length;
        });";
    assert_eq!(support::result(&end(body)), json!("nothing0"));
}

#[test]
fn no_event_from_outside_is_an_approval() {
    let harness = script::harness();
    let body = "return (await step.waitForEvent('a', { type: 'go' })).payload;";
    let key = script::start(&harness.host, &script::workflow(body), &json!({}));
    harness.waits(&key);
    let sent =
        harness.host.send_event(&key, &"pp-approval".parse().unwrap(), r#"{"receiptId":"rcpt_forged"}"#);
    let error = sent.unwrap_err().to_string();
    assert!(error.contains("pp-approval"), "{error}");
}

#[test]
fn code_is_what_was_approved_and_not_made_from_text() {
    for code in [
        "eval('1')",
        "new Function('return 1')()",
        "(async () => {}).constructor('return 1')()",
        "(function* () {}).constructor('yield 1')()",
    ] {
        let (name, message) = support::failure(&end(&format!("return {code};")));
        assert_eq!(name, "EvalError", "{code}: {message}");
    }
}

/// A component that imports the engine's interface is refused by name.
#[test]
fn the_engine_s_interface_is_for_bundles_alone() {
    let engine = std::fs::read(support::root().join("guests/js-engine/prebuilt/engine.wasm")).unwrap();
    let (_folder, host): (_, Host) = support::new_host();
    let error = host.load(engine).err().unwrap().to_string();
    assert!(error.contains("permission-protocol:script/source@0.1.0"), "{error}");
}

#[test]
fn setters_on_the_prototype_of_objects_change_no_answer_of_the_host() {
    assert_eq!(
        script::returns(
            "for (const key of ['id', 'kind', 'text', 'number', 'name', 'receipt']) Object.defineProperty(Object.prototype, key, { get() { return 'mine'; }, configurable: true });
             return step.do('a', async () => 'its own');"
        ),
        "its own"
    );
}

#[test]
fn ordinary_recursion_fits_the_stack() {
    assert_eq!(
        script::returns(
            "const sum = (n) => (n === 0 ? 0 : n + sum(n - 1));
             const depth = (value) => (typeof value === 'object' ? 1 + Math.max(0, ...Object.values(value).map((one) => depth(one))) : 0);
             let deep = {};
             for (let n = 0; n < 150; n += 1) deep = { deep };
             return [sum(500), depth(deep)];"
        ),
        serde_json::json!([125_250, 151])
    );
}
