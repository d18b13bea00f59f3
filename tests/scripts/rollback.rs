//! Rollbacks beside steps that had not ended, and those that had not begun, when the workflow failed.

use crate::support;
use crate::support::script;
use receipt::Decision;
use serde_json::json;

/// The failure of a body, and what it printed.
fn undone(body: &str) -> (String, Vec<String>) {
    let harness = script::harness();
    let body = format!(
        "const undo = {{ rollback: async ({{ output, stepName }}) => console.log(`undo ${{stepName}} ${{JSON.stringify(output)}}`) }};\n{body}"
    );
    let key = script::start(&harness.host, &script::workflow(&body), &json!({}));
    let (_, message) = support::failure(&harness.finish(&key, Decision::Approved, &[]));
    (message, harness.printed(&key))
}

#[test]
fn a_step_that_ended_beside_the_failure_is_undone_with_its_result() {
    let (message, printed) = undone(
        "await Promise.all([
           step.do('reserve', async () => { throw new NonRetryableError('full'); }),
           step.do('charge', async () => ({ id: 7 }), undo),
         ]);",
    );
    assert!(message.starts_with("full"), "{message}");
    assert_eq!(printed, ["undo charge-1 {\"id\":7}"]);
}

#[test]
fn what_had_not_begun_neither_runs_nor_is_undone() {
    let (message, printed) = undone(
        "await Promise.all([
           (async () => { throw new Error('invalid'); })(),
           step.do('charge', async () => console.log('charged'), undo),
         ]);",
    );
    assert!(message.starts_with("invalid"), "{message}");
    assert!(printed.is_empty(), "{printed:?}");
}

#[test]
fn a_branch_that_goes_on_begins_no_step_while_others_are_undone() {
    let (message, printed) = undone(
        "const late = (async () => {
           await step.sleep('a while', 1000);
           try { await step.do('more', async () => console.log('more')); } catch (error) { console.log(error.name); }
         })();
         await step.do('first', async () => 1, { rollback: async () => { await step.sleep('slowly', 5000); console.log('undone'); } });
         void late;
         throw new Error('failed');",
    );
    assert!(message.starts_with("failed"), "{message}");
    assert!(!printed.iter().any(|line| line == "more"), "{printed:?}");
    assert!(printed.iter().any(|line| line == "undone"), "{printed:?}");
}

#[test]
fn a_workflow_that_fails_by_a_mistake_undoes_its_steps() {
    for (mistake, says) in [
        ("await new Promise(() => {});", "never settle"),
        ("step.do('forgotten', async () => 1);", "never awaited"),
        ("(async () => { throw new Error('lost'); })();", "lost"),
    ] {
        let (message, printed) = undone(&format!("await step.do('book', async () => 7, undo);\n{mistake}"));
        assert!(message.contains(says), "{mistake}: {message}");
        assert_eq!(printed, ["undo book-1 7"], "{mistake}");
    }
}

/// The second step's rollback settles the promise that the workflow waits for. The workflow continues, and the first step is undone nevertheless.
#[test]
fn a_workflow_that_goes_on_while_it_is_undone_changes_nothing() {
    for then in ["throw new Error('later');", "return 'done';"] {
        let (message, printed) = undone(&format!(
            "let settle;
             await step.do('first', async () => 1, undo);
             await step.do('second', async () => 2, {{ rollback: async () => settle() }});
             await new Promise((resolve) => {{ settle = resolve; }});
             {then}"
        ));
        assert!(message.contains("never settle"), "{then}: {message}");
        assert_eq!(printed, ["undo first-1 1"], "{then}");
    }
}

#[test]
fn a_rollback_that_never_settles_leaves_the_workflow_with_its_own_error() {
    let (message, _) = undone(
        "await step.do('book', async () => 7, { rollback: () => new Promise(() => {}), rollbackConfig: { retries: { limit: 0 } } });
         throw new Error('failed');",
    );
    assert!(message.starts_with("failed"), "{message}");
}

#[test]
fn anything_may_be_thrown() {
    for thrown in ["Symbol('odd')", "Object.create(null)"] {
        let (_, printed) = undone(&format!("await step.do('a', async () => 1, undo); throw {thrown};"));
        assert_eq!(printed, ["undo a-1 1"], "{thrown}");
    }
}

#[test]
fn a_long_name_is_cut_between_characters() {
    let (message, printed) = undone(
        "const name = '\u{1f600}'.repeat(256); await step.do(name, async () => 1, undo); throw new Error('failed');",
    );
    assert!(message.starts_with("failed"), "{message}");
    assert_eq!(printed.len(), 1);
}
