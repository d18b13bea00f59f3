//! The event loop: the order of calls, and that a workflow may be interrupted anywhere.

use crate::support;
use crate::support::harness::Harness;
use crate::support::script;
use receipt::Decision;
use serde_json::Value;
use serde_json::json;
use std::time::Duration;

/// Runs a body with a new host after each pause, answers every wait, and returns the result.
fn result(body: &str, sent: &[(&str, usize)]) -> (Harness, Value) {
    let harness = script::harness();
    let key = script::start(&harness.host, &script::workflow(body), &json!({}));
    let end = harness.finish(&key, Decision::Approved, sent);
    (harness, support::result(&end))
}

fn check(body: &str, expected: &Value) {
    assert_eq!(result(body, &[]).1, *expected, "{body}");
}

#[test]
fn all_any_race_and_all_settled_do_what_they_do_everywhere() {
    check(
        "return Promise.all([step.do('a', async () => 1), step.do('b', () => 2), step.sleep('c', 1000).then(() => 3)]);",
        &json!([1, 2, 3]),
    );
    check(
        "return Promise.race([step.sleep('long', '1 hour'), step.do('a', async () => 'won')]);",
        &json!("won"),
    );
    check(
        "return Promise.any([step.do('a', {retries: {limit: 0}}, async () => { throw new Error('no') }), step.do('b', async () => 'yes')]);",
        &json!("yes"),
    );
    check(
        "const all = await Promise.allSettled([step.do('a', {retries: {limit: 0}}, async () => { throw new TypeError('no') }), step.do('b', async () => 2)]);
         return all.map((one) => one.value ?? [one.reason.name, one.reason.message, one.reason instanceof TypeError]);",
        &json!([["TypeError", "no", true], 2]),
    );
}

#[test]
fn a_sibling_never_starts_inside_of_a_body() {
    check(
        "const seen = [];
         await Promise.all([
           step.do('outer', async () => { seen.push('outer begins'); const inner = await step.do('inner', async () => 'i'); await step.sleep('nap', 5); seen.push('outer ends'); return inner; }),
           step.do('sibling', async () => { seen.push('sibling'); return 2; }),
         ]);
         return seen;",
        // The last drive gets the results of both, and runs neither body: the list shows what the first drive saw up to
        // its sleep.
        &json!(["outer begins", "outer ends", "sibling"]),
    );
}

#[test]
fn steps_in_loops_and_helpers_and_generators() {
    check(
        "const add = async (n) => step.do(`add ${n}`, async () => n + 1);
         async function* numbers() { for (let n = 0; n < 3; n += 1) yield await add(n); }
         let sum = 0; for await (const n of numbers()) sum += n;
         return sum;",
        &json!(6),
    );
}

#[test]
fn errors_are_caught_and_finally_runs() {
    check(
        "const order = [];
         try { await step.do('a', { retries: { limit: 1, delay: 10 } }, async () => { throw new RangeError('too far'); }); }
         catch (error) { order.push(error.name, error.message, error instanceof RangeError); }
         finally { order.push(await step.do('clean', async () => 'clean')); }
         return order;",
        &json!(["RangeError", "too far", true, "clean"]),
    );
}

#[test]
fn retries_follow_the_step_s_options_and_a_non_retryable_error_ends_them() {
    let (harness, value) = result(
        "let tries = 0;
         const value = await step.do('flaky', { retries: { limit: 3, delay: '1 second', backoff: 'constant' } }, async (ctx) => {
           tries = ctx.attempt; if (ctx.attempt < 3) throw new Error('again'); return ctx.attempt; });
         let stopped; try { await step.do('stop', async () => { throw new NonRetryableError('enough'); }); } catch (error) { stopped = [error.name, error.message]; }
         return [value, stopped];",
        &[],
    );
    assert_eq!(value, json!([3, ["NonRetryableError", "enough"]]));
    assert_eq!(harness.clock.ms() - support::harness::BEGINNING, 2_000);
}

#[test]
fn a_delay_function_says_how_long() {
    let (harness, value) = result(
        "return step.do('a', { retries: { limit: 2, delay: ({ ctx, error }) => ctx.attempt * 1000 + error.message.length } }, async (ctx) => {
           if (ctx.attempt < 3) throw new Error('12345'); return 'done'; });",
        &[],
    );
    assert_eq!(value, json!("done"));
    assert_eq!(harness.clock.ms() - support::harness::BEGINNING, 3_010);
}

#[test]
fn events_come_before_and_after_the_wait_and_may_not_come() {
    let (_, value) = result(
        "const first = await step.waitForEvent('one', { type: 'go', timeout: '1 minute' });
         const second = await step.waitForEvent('two', { type: 'go', timeout: 60000 });
         let none; try { await step.waitForEvent('three', { type: 'never', timeout: 1000 }); } catch (error) { none = error.name; }
         return [first.type, Object.keys(first).sort(), second.payload, first.timestamp instanceof Date, none];",
        &[("go", 2)],
    );
    assert_eq!(value[0], "go");
    assert_eq!(value[1], json!(["payload", "timestamp", "type"]));
    assert_eq!(value[4], "TimeoutError");
}

#[test]
fn time_follows_what_is_on_record() {
    let (harness, value) = result(
        "const before = Date.now();
         await step.sleep('a day', '1 day');
         const after = Date.now();
         await step.sleepUntil('a minute more', after + 60_000);
         await step.sleepUntil('another', new Date(Date.now() + 60_000));
         return [before, after - before >= 86_400_000, Date.now() - after >= 120_000, new Date().getTimezoneOffset()];",
        &[],
    );
    assert_eq!(value, json!([support::harness::BEGINNING, true, true, 0]));
    assert!(harness.clock.ms() - support::harness::BEGINNING >= 86_520_000);
}

/// A host that was busy or down drives an instance late: the guest's clock still shows the instance's start.
#[test]
fn a_time_that_was_computed_before_a_late_drive_is_not_the_past() {
    let harness = script::harness();
    let body = "await step.sleepUntil('soon', Date.now() + 1000);
        let refused; try { await step.sleepUntil('gone', Date.now() - 1); } catch (error) { refused = error.name; }
        return refused;";
    let key = script::start(&harness.host, &script::workflow(body), &json!({}));
    harness.clock.pass(Duration::from_secs(60));
    let end = harness.finish(&key, Decision::Approved, &[]);
    assert_eq!(support::result(&end), json!("sleep-rejected"));
    // The time is computed at the same moment as other calls, and the call is made after them.
    let beside = "return Promise.all([step.do('a', async () => 1), step.sleepUntil('soon', Date.now() + 1000).then(() => 2)]);";
    let key = script::start(&harness.host, &script::workflow(beside), &json!({}));
    harness.clock.pass(Duration::from_secs(60));
    assert_eq!(support::result(&harness.finish(&key, Decision::Approved, &[])), json!([1, 2]));
}

#[test]
fn chance_is_the_same_on_every_drive() {
    let harness = script::harness();
    let body = "const draw = () => [Math.random(), crypto.randomUUID(), [...crypto.getRandomValues(new Uint8Array(4))]];
        const first = draw(), kept = await step.do('draw', async () => draw());
        console.log('drew ' + JSON.stringify(first));
        await step.sleep('a', 1000);
        console.log('drew ' + JSON.stringify(first));
        return [first, kept, draw()];";
    let key = script::start(&harness.host, &script::workflow(body), &json!({}));
    harness.until_due(&key);
    let end = support::result(&harness.drive(&key));
    let printed = harness.printed(&key);
    // Printed by the first drive, and twice by the second.
    assert!(printed.len() >= 2 && printed.iter().all(|line| *line == printed[0]), "{printed:?}");
    let drawn: Vec<&Value> = [&end[0], &end[1], &end[2]].into();
    assert!(drawn[0] != drawn[1] && drawn[1] != drawn[2]);
    assert_eq!(drawn[0][1].as_str().unwrap().len(), 36);
}

#[test]
fn rollback_undoes_the_last_step_first() {
    let harness = script::harness();
    let body = "const undo = (name) => ({ rollback: async ({ ctx, stepName, output, error }) => { console.log(`undo ${name} ${stepName} ${ctx.step.name} ${ctx.step.count} ${ctx.config.retries?.limit} ${output ?? '-'} ${error.message}`); } });
        await step.do('a', async () => 'A', undo('a'));
        await step.do('a', async () => 'A2', undo('a'));
        await step.do('b', { retries: { limit: 0 } }, async () => 'B', undo('b'));
        await step.do('boom', { retries: { limit: 0 } }, async () => { throw new Error('boom'); }, undo('boom'));";
    let key = script::start(&harness.host, &script::workflow(body), &json!({}));
    let (name, message) = support::failure(&harness.finish(&key, Decision::Approved, &[]));
    assert!(name == "Error" && message.starts_with("boom"), "{name}: {message}");
    assert_eq!(
        harness.printed(&key),
        [
            "undo boom boom-1 boom 1 0 - boom",
            "undo b b-1 b 1 0 B boom",
            "undo a a-2 a 2 undefined A2 boom",
            "undo a a-1 a 1 undefined A boom"
        ]
    );
}

#[test]
fn the_host_may_go_away_at_every_wait() {
    let mut harness = script::harness();
    let body = "const out = [];
        const race = await Promise.race([step.waitForEvent('go', { type: 'go' }).then((e) => e.payload), step.sleep('patience', '1 hour').then(() => 'late')]);
        out.push(race);
        const all = await Promise.all([1, 2, 3].map((n) => step.do(`n${n}`, async () => { await step.sleep(`s${n}`, n * 1000); return n * n; })));
        out.push(...all);
        return out;";
    let key = script::start(&harness.host, &script::workflow(body), &json!({}));
    harness.waits(&key);
    harness = harness.reopened();
    harness.send(&key, "go", &json!("went"));
    for _ in 0..3 {
        harness.until_due(&key);
        harness = harness.reopened();
    }
    assert_eq!(harness.result(&key), json!(["went", 1, 4, 9]));
    harness.clock.pass(Duration::from_secs(1));
}
