//! Host calls through the typed boundary, on a real host: any program of them, with any arguments.

use super::fixture::Fixture;
use super::script::Script;
use super::{fixture, framed};
use arbitrary::Unstructured;
use engine::Status;
use receipt::Decision;
use std::sync::{LazyLock, Mutex};
use store::InstanceKey;

static FIXTURE: Mutex<Option<Fixture>> = Mutex::new(None);
static PUPPET: LazyLock<Vec<u8>> = LazyLock::new(|| framed(include_str!("puppet.wat")));

/// For any calls, the journal folds, no action took place without an approval, each action has its signed outcome, the
/// counters are right, and driving a stopped instance changes nothing.
pub fn stand(input: &[u8]) {
    let mut u = Unstructured::new(input);
    let Ok(script) = Script::draw(&mut u) else { return };
    fixture::lend(&FIXTURE, |fixture| {
        let key = fixture.start(&PUPPET, &script.params()).unwrap();
        // No more decisions than calls.
        for _ in 0..=fixture::limits().calls {
            let status = drive(fixture, &key);
            assert_ne!(status, Some(Status::Running), "a drive ends, and the instance runs on");
            let Some(request) = status.as_ref().and_then(Status::request) else { break };
            match u.int_in_range(0..=9) {
                Ok(0) => break,
                Ok(1) => fixture.decide(request, Decision::Denied),
                _ => fixture.decide(request, Decision::Approved),
            }
        }
        let before = fixture.entries(&key);
        drive(fixture, &key);
        assert_eq!(fixture.entries(&key), before, "driven on after its end, or while it waits");
        fixture.check(&key);
    });
}

/// The instance's state after a drive. A program that is not a valid workflow may take another path when it is driven
/// again.
fn drive(fixture: &Fixture, key: &InstanceKey) -> Option<Status> {
    match fixture::block_on(fixture.host().drive(key)) {
        Ok(status) => Some(status),
        Err(other) => panic!("{other}"),
    }
}
