//! Errors for mistakes have a name, the remedy, and the place in the source.

use crate::support::script;
use crate::support::script::fails;

fn check(body: &str, name: &str, parts: &[&str]) {
    let (found, message) = fails(body);
    assert_eq!(found, name, "{message}\n{body}");
    for part in parts {
        assert!(message.contains(part), "{part:?} in {message:?}\n{body}");
    }
}

#[test]
fn a_step_that_is_not_awaited_is_an_error() {
    check(
        "step.do('forgotten', async () => 1); return 'done';",
        "NeverAwaitedError",
        &["\"forgotten\"", "await", "workflow.js:5:"],
    );
    check(
        "step.sleep('forgotten', 1000); await step.do('other', async () => 1); return 'done';",
        "NeverAwaitedError",
        &["\"forgotten\"", "workflow.js:5:"],
    );
    check(
        "await step.do('outer', async () => { step.do('inner', async () => 1); return 1; });",
        "NeverAwaitedError",
        &["\"inner\""],
    );
}

#[test]
fn a_step_of_a_function_that_is_not_awaited_is_an_error() {
    for body in [
        "[1, 2].forEach(async (n) => { await step.do(`s${n}`, async () => console.log('ran')); }); return 'done';",
        "(async () => { await step.do('s1', async () => 1); })(); return 'done';",
        "[1].map(async (n) => step.do('s1', async () => n)); return 'done';",
        "void Promise.all([step.do('s1', async () => 1), step.do('s2', async () => 2)]); return 'done';",
        "(async () => { await step.sleep('s1', 1000); })(); await step.do('other', async () => 1); return 'done';",
        "(async () => { try { await step.do('s1', async () => 1); } finally { console.log('left'); } })(); return 'done';",
        "(async () => { try { await step.do('s1', async () => 1); } catch { throw new Error('another'); } })(); return 'done';",
        "(async () => { try { await step.do('s1', async () => 1); } finally { await step.do('s2', async () => 1); } })(); return 'done';",
    ] {
        check(body, "NeverAwaitedError", &["\"s1\"", "workflow.js:5:"]);
    }
}

#[test]
fn what_is_handled_without_its_result_is_meant_so() {
    for body in [
        "step.do('s', async () => 1).catch(() => console.log('left')); return 'done';",
        "const patience = (async () => { await step.sleep('t', '1 hour'); throw new Error('late'); })();
         return Promise.race([step.do('s', async () => 'done'), patience]);",
    ] {
        let harness = script::harness();
        let key = script::start(&harness.host, &script::workflow(body), &serde_json::json!({}));
        assert_eq!(
            crate::support::result(&harness.finish(&key, receipt::Decision::Approved, &[])),
            "done",
            "{body}"
        );
        assert!(harness.printed(&key).is_empty(), "{body}");
    }
}

#[test]
fn the_workflow_ends_after_what_it_waits_until() {
    let harness = script::harness();
    let body = "this.ctx.waitUntil(step.do('s', async () => console.log('ran')));
                this.ctx.waitUntil(Promise.reject(new Error('of no matter')));
                return 'done';";
    let key = script::start(&harness.host, &script::workflow(body), &serde_json::json!({}));
    assert_eq!(harness.result(&key), "done");
    assert_eq!(harness.printed(&key), ["ran"]);
}

#[test]
fn a_step_ends_after_what_it_waits_until() {
    let harness = script::harness();
    let body = "return step.do('outer', async () => {
                  this.ctx.waitUntil(step.do('s', async () => console.log('ran')));
                  this.ctx.waitUntil(Promise.reject(new Error('of no matter')));
                  return 'done';
                });";
    let key = script::start(&harness.host, &script::workflow(body), &serde_json::json!({}));
    assert_eq!(harness.result(&key), "done");
    assert_eq!(harness.printed(&key), ["ran"]);
    check(
        "const outer = step.sleep('a while', 1000);
         await step.do('b', { retries: { limit: 0 } }, async () => { this.ctx.waitUntil(outer); return 3; });",
        "NeverSettlesError",
        &["await that before the step"],
    );
}

/// What a workflow throws stays as it is, whatever it refuses.
#[test]
fn an_error_that_cannot_be_changed_fails_its_step_only() {
    for error in [
        "(() => { function Old(m) { this.message = m; Object.freeze(this); } Old.prototype = Object.create(Error.prototype); return new Old('declined'); })()",
        "new Proxy(Object.defineProperty(new Error('declined'), 'stack', { value: '' }), { defineProperty() { throw new Error('trapped'); } })",
    ] {
        let caught = script::returns(&format!(
            "try {{ await step.do('a', {{ retries: {{ limit: 0 }} }}, async () => {{ throw {error}; }}); }} catch (error) {{ return error.message; }}"
        ));
        assert_eq!(caught, "declined", "{error}");
    }
}

#[test]
fn an_unhandled_rejection_is_an_error() {
    check(
        "const lost = (async () => { throw new RangeError('lost'); })(); return 1;",
        "RangeError",
        &["lost", "workflow.js:5:"],
    );
    // A rejection that is handled later is not an error.
    assert_eq!(
        script::returns(
            "const late = Promise.reject(new Error('x')); await step.sleep('a', 10); try { await late; } catch { return 'handled'; }"
        ),
        "handled"
    );
}

#[test]
fn a_promise_that_never_settles_is_an_error_at_once() {
    check("await new Promise(() => {}); return 1;", "NeverSettlesError", &["the workflow waits"]);
    check(
        "await step.do('stuck', async () => { await new Promise(() => {}); });",
        "NeverSettlesError",
        &["the body of step \"stuck\"", "workflow.js:5:"],
    );
    check("await step.waitForEvent('a', { type: 'pp-approval' });", "NeverSettlesError", &[]);
}

#[test]
fn a_denial_is_not_hidden_by_a_wait_for_an_approval() {
    let harness = script::harness();
    let body =
        "const asked = env.PP.requireApproval({ capability: 'other.thing', resource: 'r', reason: 'x' });
        await step.waitForEvent('decided', { type: 'pp-approval' });
        await asked;";
    let key = script::start(&harness.host, &script::workflow(body), &serde_json::json!({}));
    let (name, message) = crate::support::failure(&harness.finish(&key, receipt::Decision::Denied, &[]));
    assert_eq!(name, "ApprovalDeniedError", "{message}");
}

#[test]
fn a_step_that_lost_a_race_before_it_began_is_no_mistake() {
    assert_eq!(script::returns("return Promise.race([Promise.resolve(1), step.sleep('t', 1000)]);"), 1);
}

#[test]
fn an_unknown_key_of_a_step_s_configuration_is_an_error() {
    for (config, says) in [
        ("{ retry: { limit: 1 } }", "a key \"retry\", which is not there: it may have retries, timeout"),
        (
            "{ retries: { limits: 1 } }",
            "a key \"limits\", which is not there: it may have limit, delay, backoff",
        ),
        ("{ sensitive: 'output' }", "\"sensitive\""),
        ("7", "its configuration is 7, and has to be an object"),
    ] {
        check(&format!("await step.do('a', {config}, async () => 1);"), "TypeError", &["step \"a\"", says]);
    }
}

#[test]
fn results_that_json_cannot_say_are_errors_with_their_place() {
    for (value, says) in [
        ("{ list: [1, { at: new Date(0) }] }", ".list[1].at is a Date"),
        ("() => 1", "is a function"),
        ("10n", "is a BigInt"),
        ("{ n: NaN }", ".n is NaN"),
        ("new Map()", "is a Map"),
        ("{ 'a b': Symbol() }", "[\"a b\"] is a symbol"),
        ("new Uint8Array(3)", "is bytes"),
        ("(() => { const a = {}; a.a = a; return a; })()", "contains itself"),
        ("new Error('x')", "is an Error"),
        ("/x/g", "is a RegExp"),
        ("[1].values()", "is an iterator"),
        ("(function* () { yield 1; })()", "is an iterator"),
        ("new WeakMap()", "is a weak collection"),
        ("{ n: new Number(5) }", ".n is an object around a value"),
    ] {
        check(
            &format!("await step.do('give', async () => ({value}));"),
            "NotJsonError",
            &["the result of step \"give\"", says],
        );
    }
    check("return { when: new Date(0) };", "NotJsonError", &["the workflow's result"]);
}

#[test]
fn what_is_absent_says_what_to_do_instead() {
    for (code, says) in [
        ("await fetch('https://example.com')", "no network"),
        ("setTimeout(() => {}, 10)", "step.sleep"),
        ("process.env.HOME", "event.payload"),
        ("Buffer.from('x')", "Uint8Array"),
        ("new Intl.NumberFormat()", "toFixed"),
        ("await WebAssembly.compile(new Uint8Array())", "component"),
        ("require('fs')", "esbuild"),
        ("new WeakRef({})", "collected"),
        ("new Response('x')", "no network"),
        ("(1234.5).toLocaleString('en-US')", "toFixed"),
        ("new Date(0).toLocaleDateString('en-US', { month: 'long' })", "toISOString"),
    ] {
        let (_, message) = fails(&format!("{code};"));
        assert!(message.contains(says), "{code}: {message}");
    }
}

#[test]
fn an_error_names_its_place_in_the_source() {
    check("\n\n  null.x;", "TypeError", &["(at workflow.js:7:"]);
    let text = "import { WorkflowEntrypoint, WorkflowStep } from 'cloudflare:workers';\ntype A = {\n  a: number;\n};\nenum Color { Red }\nexport class W extends WorkflowEntrypoint<Env> {\n  async run(event: unknown, step: WorkflowStep) {\n    const a: A = { a: Color.Red };\n    throw new Error(`no ${a.a}`);\n  }\n}\n";
    let (_, message) = crate::support::failure(&script::run_bundle(&script::bundle(&[("src/w.ts", text)])));
    assert!(message.starts_with("no 0 (at src/w.ts:9:"), "{message}");
}

/// An error that passes through steps keeps the place where it was thrown.
#[test]
fn an_error_of_a_step_names_its_place_in_typescript() {
    let text = "import { WorkflowEntrypoint, WorkflowStep } from 'cloudflare:workers';
interface Unused {
  a: number;
  b: string;
}
export class W extends WorkflowEntrypoint<Env> {
  async run(event: unknown, step: WorkflowStep) {
    await step.do('outer', { retries: { limit: 0 } }, async () => {
      await step.do('inner', { retries: { limit: 0 } }, async () => {
        throw new Error('lost');
      });
    });
  }
}
";
    let (_, message) = crate::support::failure(&script::run_bundle(&script::bundle(&[("w.ts", text)])));
    assert!(message.starts_with("lost (at w.ts:10:") && message.matches("(at ").count() == 1, "{message}");
}

#[test]
fn an_error_that_the_host_answers_with_names_the_call() {
    for (body, name) in [
        ("await step.waitForEvent('a', { type: 'x', timeout: 1000 });", "TimeoutError"),
        (
            "await env.PP.requireApproval({ capability: 'other.thing', resource: 'r', reason: 'x' });",
            "ApprovalDeniedError",
        ),
        ("await step.do('a', async () => new Map());", "NotJsonError"),
        (
            "await env.PP.requireApproval({ capability: '', resource: 'r', reason: 'x' });",
            "InvalidActionError",
        ),
    ] {
        let harness = script::harness();
        let key = script::start(&harness.host, &script::workflow(body), &serde_json::json!({}));
        let (found, message) = crate::support::failure(&harness.finish(&key, receipt::Decision::Denied, &[]));
        assert!(found == name && message.contains("(at workflow.js:5:"), "{found}: {message}");
    }
}

#[test]
fn what_is_thrown_and_is_no_error_says_what_it_has_to_say() {
    for (thrown, says) in [
        ("{ code: 5, message: 'boo' }", "boo"),
        ("new AggregateError([new Error('one'), { message: 'two' }, 'three'])", "one; two; three"),
        ("null", "null was thrown, or no memory was left"),
        ("new Error('x'.repeat(5 << 20))", "xxx"),
    ] {
        let (_, message) = fails(&format!("throw {thrown};"));
        assert!(message.starts_with(says), "{thrown}: {message:.200}");
    }
}

#[test]
fn a_top_level_await_that_never_settles_is_an_error() {
    let text = "import { WorkflowEntrypoint } from 'cloudflare:workers';\nexport class W extends WorkflowEntrypoint { async run() { return 1; } }\nawait new Promise(() => {});\n";
    let (name, message) = crate::support::failure(&script::run_bundle(&script::bundle(&[("w.js", text)])));
    assert_eq!(name, "TopLevelAwaitError", "{message}");
}

#[test]
fn a_main_module_without_a_workflow_says_what_it_exports() {
    let run = |text: &str| crate::support::failure(&script::run_bundle(&script::bundle(&[("w.js", text)])));
    let (name, message) = run("export const a = 1; export function b() {}");
    assert!(name == "NoWorkflowError" && message.contains("a, b"), "{name}: {message}");
    let two = "import { WorkflowEntrypoint as W } from 'cloudflare:workers'; export class A extends W {}; export class B extends W {};";
    let (name, message) = run(two);
    assert!(name == "NoWorkflowError" && message.contains("A, B"), "{name}: {message}");
}
