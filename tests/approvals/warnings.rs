//! A warning comes before people are asked: of a rule that cannot be met, and of a capability or a target that is not
//! here.

use crate::support;
use crate::support::cli;
use crate::support::people::{ApprovalFixture, ManualClock};
use engine::capability::{
    Capability, Execution, OnInterruption, PerformError, Performed, Permit, Reversibility,
};
use engine::trust::Act;
use std::fs;
use tempfile::TempDir;
use workflow::Artifact;

const THREE: &str = "[[rule]]\nid = \"three\"\nthen = \"ask\"\nrole = \"release\"\napprovals = 3\n";

fn warnings(fixture: &ApprovalFixture) -> Vec<String> {
    let (_, request) = fixture.asked();
    fixture.host.waiting_request(&request).unwrap().shortfalls.iter().map(ToString::to_string).collect()
}

#[test]
fn a_request_that_the_people_here_cannot_decide_says_so() {
    let fixture = ApprovalFixture::new(Some(THREE));
    assert!(warnings(&fixture).is_empty(), "alice, bob and carol can");
    fixture
        .record_act(Act::DeciderRemoved { decider: "bob".parse().unwrap(), reason: "left".to_owned() })
        .unwrap();
    let [warning] = warnings(&fixture).try_into().unwrap();
    assert!(
        warning.starts_with("3 of release is asked for, and 2 people here can decide as release"),
        "{warning}"
    );
    assert!(warning.contains("pp-host deciders add NAME --role release"), "{warning}");
    // A person of another tenant, without a key that counts, or in another role does not help.
    let roles = ["release".parse().unwrap()];
    let (decider, tenants) = ("erin".parse().unwrap(), ["globex".parse().unwrap()].into());
    fixture.record_act(Act::DeciderAdded { decider, roles: roles.clone().into(), tenants }).unwrap();
    fixture.give("erin", 7);
    fixture
        .record_act(Act::DeciderAdded {
            decider: "keyless".parse().unwrap(),
            roles: roles.into(),
            tenants: [].into(),
        })
        .unwrap();
    fixture.add("gail", &["qa"], 8);
    assert_eq!(warnings(&fixture).len(), 1);
    fixture.add("frank", &["release"], 9);
    assert!(warnings(&fixture).is_empty());
}

#[test]
fn a_person_who_may_not_decide_about_their_own_request_is_not_counted() {
    let fixture = ApprovalFixture::new(Some(THREE));
    let workflow = fixture.host.load(support::guest("tenant-workflow")).unwrap();
    let start = engine::Start {
        submitter: Some("alice".parse().unwrap()),
        ..engine::Start::new("acme".parse().unwrap(), "user:bob".parse().unwrap(), "w", "{}")
    };
    let key = fixture.host.start(&workflow, start).unwrap();
    let request = fixture.waits(&key);
    let [shortfall] = fixture.host.waiting_request(&request).unwrap().shortfalls.try_into().unwrap();
    assert_eq!(shortfall.people, 1);
}

#[test]
fn a_demonstration_misses_no_decider() {
    let (folder, clock) = (TempDir::new().unwrap(), ManualClock::new());
    let host = crate::support::storage::builder(folder.path()).clock(clock.clone()).open().unwrap();
    assert!(warnings(&ApprovalFixture { folder, host, clock }).is_empty());
}

/// Deploys to its own places only.
struct Elsewhere;

impl Capability for Elsewhere {
    fn name(&self) -> &str {
        engine::DEPLOY
    }
    fn acts_on(&self, resource: &str) -> bool {
        resource.starts_with("elsewhere://")
    }
    fn reversibility(&self) -> Reversibility {
        Reversibility::Reversible
    }
    fn on_interruption(&self) -> OnInterruption {
        OnInterruption::ReportUnknown
    }
    fn perform(&self, _: &Permit, _: &Artifact, _: Execution) -> Result<Performed, PerformError> {
        Err(PerformError::Failed("not there".to_owned()))
    }
}

#[test]
fn an_approver_is_told_of_a_target_that_the_capability_does_not_act_on() {
    let (folder, clock) = (TempDir::new().unwrap(), ManualClock::new());
    let host = crate::support::storage::builder(folder.path())
        .clock(clock.clone())
        .capability(Elsewhere)
        .open()
        .unwrap();
    let fixture = ApprovalFixture { folder, host, clock };
    let (_, request) = fixture.asked();
    let shown = fixture.host.request(&request).unwrap().to_string();
    assert!(shown.contains("\nWARNING      the capability does not act on that resource"), "{shown}");
    let here = ApprovalFixture::new(None);
    let (_, request) = here.asked();
    assert!(!here.host.request(&request).unwrap().to_string().contains("WARNING"));
}

#[test]
fn an_approver_is_told_of_a_capability_that_is_not_here() {
    let fixture = ApprovalFixture::new(None);
    let key = support::start(&fixture.host, "hostile", r#"{"attack":"other-capability"}"#);
    let Some(request) = support::block_on(fixture.host.drive(&key)).unwrap().request().cloned() else {
        unreachable!("the hostile guest asks for another capability")
    };
    let shown = fixture.host.request(&request).unwrap().to_string();
    assert!(shown.contains("\nWARNING      this host has no capability of that name"), "{shown}");
}

#[test]
fn policy_check_compares_the_rules_with_what_is_here() {
    let data = TempDir::new().unwrap();
    let check = |file: &str| cli::run(data.path(), &["policy", "check", file]);
    let text = "[[rule]]\nid = \"two\"\ntenant = \"acme\"\nthen = \"ask\"\nrole = \"release\"\napprovals = 2\n\
                [[rule]]\nid = \"typo\"\ncapability = \"cloudflare.dynamic-worker.deplo\"\nthen = \"deny\"\n\
                [[rule]]\nid = \"fine\"\ncapability = \"cloudflare.*\"\nthen = \"ask\"\n";
    let elsewhere = TempDir::new().unwrap();
    let file = cli::write(elsewhere.path(), "policy.toml", text);
    let nowhere = cli::run(&data.path().join("none"), &["policy", "check", &file]);
    assert_eq!((nowhere.code, nowhere.stdout.matches("warning").count()), (Some(0), 1), "{}", nowhere.stdout);
    let public = elsewhere.path().join("a.pem");
    let private = public.display().to_string();
    assert_eq!(cli::run(data.path(), &["deciders", "new-key", &private]).code, Some(0));
    let added = ["deciders", "add", "alice", "--role", "release", "--key", &format!("{private}.pub")];
    assert_eq!(cli::run(data.path(), &added).code, Some(0));
    let said = check(&file).stdout;
    let warned: Vec<_> = said.lines().filter(|line| line.starts_with("warning")).collect();
    assert_eq!(warned.len(), 2, "{said}");
    assert!(warned[0].contains("line 1: rule two: this cannot be met for tenant acme: 2 of release is asked for, and 1 person here can decide as release"), "{said}");
    assert!(warned[1].contains("line 7: rule typo: this host does not have the capability \"cloudflare.dynamic-worker.deplo\"; it has cloudflare.dynamic-worker.deploy"), "{said}");
    // The request has the same warning when it is made.
    fs::write(data.path().join("policy.toml"), text).unwrap();
    let ran = cli::run(data.path(), &["run", cli::GUEST, "--tenant", "acme"]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(
        ran.stdout.contains("warning   2 of release is asked for, and 1 person here can"),
        "{}",
        ran.stdout
    );
    let listed = cli::run(data.path(), &["approvals"]).stdout;
    assert!(listed.contains("warning  2 of release"), "{listed}");
    let json = cli::lines(&cli::run(data.path(), &["approvals", "--json"]).stdout);
    assert_eq!(json[0]["warnings"].as_array().unwrap().len(), 1);
}
