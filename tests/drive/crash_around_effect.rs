//! The process dies at the worst moment. Afterwards there is one receipt, one redemption, one deployment: never two, never none.
//!
//! Each case is a real process: the test program runs itself, and the child aborts at the given place.

use crate::support;
use crate::support::held_action::Held;
use crate::support::{child, compiled, count, entries};
use engine::capability::{Capability, Deploy, Execution, OnInterruption, PerformError, Performed, Permit};
use engine::issuer::Reversibility;
use engine::{Host, Status};
use receipt::Decision;
use sandbox::SandboxLimits;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use store::InstanceKey;
use tempfile::TempDir;
use workflow::{Artifact, Effect, Entry, Finding};

/// Passes the child its folder and its place to die.
const FOLDER: &str = "PP_HOST_TEST_CRASH_FOLDER";
const POINT: &str = "PP_HOST_TEST_CRASH_POINT";

/// The child: runs the approved demo until the point where it dies.
#[test]
fn child() {
    let (Ok(folder), Ok(point)) = (std::env::var(FOLDER), std::env::var(POINT)) else { return };
    let seen = AtomicUsize::new(0);
    let die_after: Option<usize> = point.parse().ok();
    let mut builder = crate::support::storage::builder(&folder).on_fact(move |_| {
        if Some(seen.fetch_add(1, Ordering::Relaxed) + 1) == die_after {
            std::process::abort();
        }
    });
    if let Some(deploy) = AbortingDeploy::named(&point, Path::new(&folder)) {
        builder = builder.capability(deploy);
    }
    let host = builder.open().unwrap();
    let key = support::start(&host, "tenant-workflow", "{}");
    support::finish(&host, &key, Decision::Approved);
}

/// A deploy capability around which the process dies.
struct AbortingDeploy {
    inner: Deploy,
    before: bool,
    on_interruption: OnInterruption,
}

impl AbortingDeploy {
    fn named(point: &str, folder: &Path) -> Option<Self> {
        let (before, on_interruption) = match point {
            "before the effect" => (true, OnInterruption::PerformAgain),
            "after the effect" => (false, OnInterruption::PerformAgain),
            "during an effect that cannot be repeated" => (false, OnInterruption::ReportUnknown),
            _ => return None,
        };
        Some(Self { inner: Deploy::new(folder.join("deployments")), before, on_interruption })
    }
}

impl Capability for AbortingDeploy {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn reversibility(&self) -> Reversibility {
        self.inner.reversibility()
    }

    fn on_interruption(&self) -> OnInterruption {
        self.on_interruption
    }

    fn perform(
        &self,
        permit: &Permit,
        artifact: &Artifact,
        attempt: Execution,
    ) -> Result<Performed, PerformError> {
        if !self.before {
            self.inner.perform(permit, artifact, attempt)?;
        }
        std::process::abort();
    }
}

/// A capability that must not be called.
struct Untouchable(Deploy);

impl Capability for Untouchable {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn reversibility(&self) -> Reversibility {
        self.0.reversibility()
    }

    fn on_interruption(&self) -> OnInterruption {
        OnInterruption::ReportUnknown
    }

    fn perform(&self, _: &Permit, _: &Artifact, _: Execution) -> Result<Performed, PerformError> {
        panic!("an effect that may have taken place was repeated");
    }
}

fn run_child_until(folder: &Path, point: &str) {
    compiled::put_guests(folder);
    let child = child::of(module_path!()).env(FOLDER, folder).env(POINT, point).output().unwrap();
    let died = std::os::unix::process::ExitStatusExt::signal(&child.status);
    assert_eq!(died, Some(6), "the child did not die at {point}: {}", String::from_utf8_lossy(&child.stdout));
}

fn the_instance(host: &Host) -> InstanceKey {
    host.store().instances().wait().unwrap().pop().unwrap()
}

fn assert_done_once(folder: &Path, host: &Host, key: &InstanceKey, status: &Status, point: &str) {
    assert_eq!(support::result(status)["status"], "deployed", "{point}");
    let entries = entries(host, key);
    for kind in ["requested", "decided", "issued", "redeemed", "performed", "attested", "completed"] {
        assert_eq!(count(&entries, kind), 1, "{kind}, killed {point}");
    }
    assert_eq!(count(&entries, "step-started"), 2, "killed {point}");
    assert_eq!(count(&entries, "step-completed"), 2, "killed {point}");
    assert_eq!(host.store().receipts(store::ReceiptPage::ALL).wait().unwrap().len(), 1, "killed {point}");
    assert_eq!(support::deployments(folder).len(), 1, "killed {point}");
}

#[test]
fn killed_after_any_entry_the_run_ends_with_one_of_everything() {
    let (_folder, host) = support::new_host();
    let key = support::start(&host, "tenant-workflow", "{}");
    support::finish(&host, &key, Decision::Approved);
    let straight = entries(&host, &key).len();
    assert!(straight >= 13, "{straight}");
    for point in 1..=straight {
        let folder = TempDir::new().unwrap();
        run_child_until(folder.path(), &point.to_string());
        let host = crate::support::storage::builder(folder.path()).open().unwrap();
        let key = the_instance(&host);
        let status = support::finish(&host, &key, Decision::Approved);
        assert_done_once(folder.path(), &host, &key, &status, &format!("after entry {point}"));
        assert_eq!(entries(&host, &key).len(), straight);
    }
}

#[test]
fn killed_around_the_effect_the_deployment_exists_once() {
    for point in ["before the effect", "after the effect"] {
        let folder = TempDir::new().unwrap();
        run_child_until(folder.path(), point);
        let host = crate::support::storage::builder(folder.path()).open().unwrap();
        let key = the_instance(&host);
        assert_eq!(count(&entries(&host, &key), "redeemed"), 1, "intent comes before effect");
        let status = support::finish(&host, &key, Decision::Approved);
        assert_done_once(folder.path(), &host, &key, &status, point);
    }
}

#[test]
fn an_interrupted_effect_that_cannot_be_repeated_is_unknown_and_attested_so() {
    let folder = TempDir::new().unwrap();
    run_child_until(folder.path(), "during an effect that cannot be repeated");
    let capability = Untouchable(Deploy::new(folder.path().join("deployments")));
    let host = crate::support::storage::builder(folder.path()).capability(capability).open().unwrap();
    let key = the_instance(&host);
    let status = support::finish(&host, &key, Decision::Approved);
    let (_, message) = support::failure(&status);
    assert!(message.starts_with("unknown whether deployed"), "{message}");
    let entries = entries(&host, &key);
    assert!(
        entries.iter().any(|entry| matches!(entry, Entry::Performed { effect: Effect::Unknown { .. }, .. }))
    );
    let attested = entries.iter().find_map(|entry| match entry {
        Entry::Attested { document, .. } => Some(document.contains(r#""outcome":"unknown""#)),
        _ => None,
    });
    assert_eq!(attested, Some(true));
}

/// A second attempt that fails does not show how the first ended.
#[test]
fn an_interrupted_effect_whose_repetition_fails_is_unknown() {
    let folder = TempDir::new().unwrap();
    run_child_until(folder.path(), "after the effect");
    let deployments = folder.path().join("deployments");
    std::fs::remove_dir_all(deployments.join("artifacts")).unwrap();
    std::fs::write(deployments.join("artifacts"), "in the way").unwrap();
    let host = crate::support::storage::builder(folder.path()).open().unwrap();
    let key = the_instance(&host);
    let (_, message) = support::failure(&support::finish(&host, &key, Decision::Approved));
    assert!(message.starts_with("unknown whether deployed"), "{message}");
}

/// The workflow never comes back to the action that was interrupted: the instance still does not end with an unsigned outcome.
#[test]
fn an_interrupted_effect_is_settled_even_where_the_workflow_ends_without_it() {
    let folder = TempDir::new().unwrap();
    run_child_until(folder.path(), "before the effect");
    let limits = SandboxLimits { fuel: 1_000, ..SandboxLimits::default() };
    let host = crate::support::storage::builder(folder.path()).sandbox(limits).open().unwrap();
    let key = the_instance(&host);
    let status = support::finish(&host, &key, Decision::Approved);
    assert!(support::failure(&status).1.contains("limit fuel"), "{status:?}");
    let entries = entries(&host, &key);
    assert!(
        entries.iter().any(|entry| matches!(entry, Entry::Performed { effect: Effect::Unknown { .. }, .. }))
    );
    assert_eq!(count(&entries, "attested"), 1);
}

#[test]
fn an_interrupted_effect_is_settled_when_an_operator_ends_the_instance() {
    let folder = TempDir::new().unwrap();
    run_child_until(folder.path(), "before the effect");
    let host = crate::support::storage::builder(folder.path()).open().unwrap();
    let key = the_instance(&host);
    host.terminate(&key, "ops", None).unwrap();
    let entries = entries(&host, &key);
    let last: Vec<_> = entries[entries.len() - 3..].iter().map(ToString::to_string).collect();
    assert!(
        matches!(&entries[entries.len() - 3], Entry::Performed { effect: Effect::Unknown { .. }, .. }),
        "{last:?}"
    );
    let unknown = entries.iter().find_map(|entry| match entry {
        Entry::Attested { receipt, .. } => Some(receipt.clone()),
        _ => None,
    });
    let receipt = unknown.unwrap();
    host.resolve(&key, &receipt, Finding::Failed, "ops", Some("it is not there")).unwrap();
    let again = host.resolve(&key, &receipt, Finding::Succeeded, "ops", None);
    assert!(matches!(again, Err(engine::Error::AlreadyResolved(..))), "{again:?}");
}

#[test]
fn an_instance_is_driven_once_at_a_time() {
    let folder = TempDir::new().unwrap();
    let (held, has_entered, let_go) = Held::in_folder(folder.path());
    let host = crate::support::storage::builder(folder.path()).capability(held).open().unwrap();
    let key = support::start(&host, "tenant-workflow", "{}");
    let first = std::thread::spawn({
        let (host, key) = (host.clone(), key.clone());
        move || support::finish(&host, &key, Decision::Approved)
    });
    has_entered.recv().unwrap();
    let second = support::block_on(host.drive(&key));
    assert!(matches!(second, Err(engine::Error::Busy(_))), "{second:?}");
    let_go.send(()).unwrap();
    let status = first.join().unwrap();
    assert_done_once(folder.path(), &host, &key, &status, "not at all");
}

/// A deployment that is taken up again after a later one to the same resource is recorded, and does not undo the later one.
#[test]
fn an_interrupted_deployment_does_not_undo_a_later_one() {
    let folder = TempDir::new().unwrap();
    run_child_until(folder.path(), "after the effect");
    assert_eq!(
        support::deployments(folder.path()),
        [],
        "nothing is deployed before its outcome is on record"
    );

    let host = crate::support::storage::builder(folder.path()).open().unwrap();
    let key = the_instance(&host);
    let later = support::start(&host, "tenant-workflow", "{}");
    let later = support::result(&support::finish(&host, &later, Decision::Approved));
    let status = support::finish(&host, &key, Decision::Approved);
    assert_eq!(support::result(&status)["status"], "deployed");
    let [first, last] = support::deployments(folder.path()).try_into().unwrap();
    assert!(last.order < first.order, "the interrupted one was redeemed before, and recorded afterwards");
    let live = host.store().live_deployment(&first.tenant, &first.resource).wait().unwrap();
    assert_eq!(later["deploy"]["id"], live.unwrap().id.as_str());
}
