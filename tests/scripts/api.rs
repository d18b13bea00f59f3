//! The API of a workflow in addition to the language, as a table: code, and its result.

use crate::support::script;
use serde_json::Value;
use serde_json::json;

/// A host for each line would take long, so all lines are one workflow.
fn check(cases: &[(&str, Value)]) {
    let lines: Vec<String> = cases
        .iter()
        .map(|(code, _)| format!("await (async () => {{ try {{ return {code}; }} catch (error) {{ return `${{error.name}}: ${{error.message}}`; }} }})()"))
        .collect();
    let found = script::returns(&format!("return [{}];", lines.join(",\n")));
    for ((code, expected), found) in cases.iter().zip(found.as_array().unwrap()) {
        assert_eq!(found, expected, "{code}");
    }
}

fn printed_and_returned(body: &str) -> (Vec<String>, Value) {
    let harness = script::harness();
    let key = script::start(&harness.host, &script::workflow(body), &json!({}));
    let end = harness.finish(&key, receipt::Decision::Approved, &[]);
    (harness.printed(&key), crate::support::result(&end))
}

#[test]
fn text_and_bytes() {
    check(&[
        ("[...new TextEncoder().encode('h\u{e9}\u{1f600}')]", json!([104, 195, 169, 240, 159, 152, 128])),
        ("[...new TextEncoder().encode('\\ud800')]", json!([239, 191, 189])),
        ("new TextDecoder().decode(new Uint8Array([0xef, 0xbb, 0xbf, 104, 195, 169]))", json!("h\u{e9}")),
        ("new TextDecoder().decode(new Uint8Array([255, 104]))", json!("\u{fffd}h")),
        (
            "new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array([255]))",
            json!("TypeError: decode: the data is not UTF-8"),
        ),
        (
            "(() => { const d = new TextDecoder(); return d.decode(new Uint8Array([195]), { stream: true }) + d.decode(new Uint8Array([169])); })()",
            json!("\u{e9}"),
        ),
        ("new TextEncoder().encodeInto('a\u{e9}b', new Uint8Array(3)).read", json!(2)),
        ("atob(btoa('hello'))", json!("hello")),
        ("btoa('\\u0100').length", json!("InvalidCharacterError: String contains an invalid character")),
    ]);
}

#[test]
fn urls() {
    check(&[
        (
            "new URL('../b?x=1#h', 'https://u:p@example.com:8080/a/c').href",
            json!("https://u:p@example.com:8080/b?x=1#h"),
        ),
        ("new URL('https://example.com').pathname", json!("/")),
        ("URL.canParse('nonsense')", json!(false)),
        ("new URL('nonsense')", json!("TypeError: Invalid URL: nonsense")),
        (
            "(() => { const u = new URL('https://e.com/?a=1'); u.searchParams.append('b', 'x y'); u.hash = 'z'; return String(u); })()",
            json!("https://e.com/?a=1&b=x+y#z"),
        ),
        (
            "(() => { const u = new URL('https://e.com/?a=1'); u.search = '?q=2'; return u.searchParams.get('q'); })()",
            json!("2"),
        ),
        ("[...new URLSearchParams({ a: '1', b: '2' })]", json!([["a", "1"], ["b", "2"]])),
        ("new URLSearchParams('a=1&a=2&b=%20').getAll('a')", json!(["1", "2"])),
        ("new URL('https://example.com/x').origin", json!("https://example.com")),
    ]);
}

#[test]
fn clones() {
    check(&[
        (
            "(() => { const a = { d: new Date(5), m: new Map([[1, new Set([2])]]), l: [1, , 3] }; a.self = a; const b = structuredClone(a); return [b !== a, b.self === b, b.d.getTime(), b.m.get(1).has(2), b.l.length]; })()",
            json!([true, true, 5, true, 3]),
        ),
        ("structuredClone(() => 1)", json!("DataCloneError: Function  could not be cloned.")),
        ("structuredClone(new RangeError('x')) instanceof RangeError", json!(true)),
        ("[...structuredClone(new Uint8Array([1, 2]))]", json!([1, 2])),
        ("structuredClone(/a/gi).flags", json!("gi")),
    ]);
}

#[test]
fn the_environment_is_there_while_modules_are_evaluated() {
    let text = script::text("return RESOURCE;").replace(
        "export class",
        "import { env } from 'cloudflare:workers';\nconst RESOURCE = `cloudflare://workers/${env.TENANT_ID}/app`;\nexport class",
    );
    let status = script::run_bundle(&script::bundle(&[("w.js", &text)]));
    assert_eq!(crate::support::result(&status), json!("cloudflare://workers/acme/app"));
}

#[test]
fn a_wait_for_an_approval_times_out() {
    check(&[(
        "await step.waitForEvent('decided', { type: 'pp-approval', timeout: '1 hour' }).catch((error) => error.name)",
        json!("TimeoutError"),
    )]);
    let (_, returned) = printed_and_returned(
        "const [approval, decided] = await Promise.all([
           env.PP.requireApproval({ capability: 'other.thing', resource: 'r', reason: 'x' }),
           step.waitForEvent('decided', { type: 'pp-approval', timeout: '1 hour' })]);
         return approval.receiptId === decided.payload.receiptId;",
    );
    assert_eq!(returned, json!(true));
}

#[test]
fn half_a_character_is_printed_and_recorded_as_its_replacement() {
    let (printed, _) = printed_and_returned(
        "console.log('\u{1f600}'.slice(0, 1)); const error = new Error('x'); error.name = 'n'.repeat(199) + '\u{1f600}';
         await step.do('a', { retries: { limit: 0 } }, async () => { throw error; }).catch(() => {});",
    );
    assert_eq!(printed, ["\u{fffd}"]);
}

#[test]
fn digests_signals_and_the_rest() {
    check(&[
        (
            "[...new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode('abc')))].slice(0, 4)",
            json!([186, 120, 22, 191]),
        ),
        (
            "await crypto.subtle.digest('MD5', new Uint8Array())",
            json!(
                "NotSupportedError: crypto.subtle.digest: MD5 is not there: use SHA-256, SHA-384 or SHA-512"
            ),
        ),
        (
            "(() => { const c = new AbortController(); const seen = []; c.signal.addEventListener('abort', () => seen.push('a')); c.abort(); c.abort(); return [seen, c.signal.aborted, c.signal.reason.name]; })()",
            json!([["a"], true, "AbortError"]),
        ),
        ("AbortSignal.any([AbortSignal.abort('why')]).reason", json!("why")),
        ("typeof queueMicrotask + typeof performance.now()", json!("functionnumber")),
        (
            "[env.TENANT_ID, event.instanceId.length > 3, event.timestamp instanceof Date, event.workflowName]",
            json!(["acme", true, true, "script"]),
        ),
        (
            "[typeof process, typeof Buffer, typeof WebAssembly, typeof Intl, typeof WeakRef]",
            json!(["undefined", "undefined", "undefined", "undefined", "undefined"]),
        ),
        ("Object.groupBy([1, 2, 3], (n) => n % 2 ? 'odd' : 'even').odd", json!([1, 3])),
        (
            "'a-b'.replaceAll('-', '+') + [1, 2].at(-1) + Array.from({ length: 2 }, (_, i) => i)",
            json!("a+b20,1"),
        ),
    ]);
}
