//! Random policies, questions and people, of so few words that they meet.

use crate::common::{Asked, approver, artifact};
use policy::{Approver, Environment, Novelty};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

const TENANTS: [&str; 3] = ["acme", "acme-2", "globex"];
const CAPABILITIES: [&str; 3] = ["cloud.worker.deploy", "cloud.worker.delete", "pay"];
const RESOURCES: [&str; 3] = ["cloud://acme/a", "cloud://acme/b", "bank://\"1\\ \u{202e}"];
const ROLES: [&str; 2] = ["release", "sec.ops"];
const KIB: u64 = 1 << 10;

/// A rule that both engines can express.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) tenant: Option<&'static str>,
    pub(crate) capability: Option<&'static str>,
    pub(crate) resource: Option<&'static str>,
    pub(crate) environment: Option<Environment>,
    pub(crate) artifact: Option<Option<Novelty>>,
    pub(crate) at_most: Option<u64>,
    pub(crate) component: Option<Novelty>,
    pub(crate) then: Then,
}

#[derive(Debug, Clone)]
pub(crate) enum Then {
    Allow,
    Ask { role: Option<&'static str>, approvals: u32 },
    Deny,
}

pub(crate) fn question() -> impl Strategy<Value = Asked> {
    let texts = (select(&TENANTS[..]), select(&CAPABILITIES[..]), select(&RESOURCES[..]));
    let size = select(vec![0, KIB, KIB + 1, u64::MAX]);
    let facts = (environment(), option::of((size, novelty())), novelty());
    (texts, facts).prop_map(|((tenant, capability, resource), (environment, content, component))| Asked {
        tenant: tenant.parse().unwrap(),
        actor: "agent:builder".parse().unwrap(),
        capability: capability.to_owned(),
        resource: resource.to_owned(),
        environment,
        artifact: content.map(|(bytes, novelty)| artifact(bytes, novelty)),
        component,
        approvals: Vec::new(),
    })
}

/// Some people, some of them more than once.
pub(crate) fn people() -> impl Strategy<Value = Vec<Approver>> {
    vec(person(), 0..6)
}

pub(crate) fn person() -> impl Strategy<Value = Approver> {
    let people: [(&str, &[&str]); 6] = [
        ("alice", &["release"]),
        ("bob", &["release"]),
        ("carol", &["sec.ops"]),
        ("dan", &["release", "sec.ops"]),
        ("erin", &[]),
        ("frank", &["other"]),
    ];
    select(people.to_vec()).prop_map(|(person, roles)| approver(person, roles))
}

pub(crate) fn rules() -> impl Strategy<Value = Vec<Rule>> {
    vec(rule(), 0..6)
}

fn rule() -> impl Strategy<Value = Rule> {
    let tenant = option::weighted(0.4, select(vec!["acme", "acme*", "globex", "*"]));
    let capability = option::weighted(0.4, select(vec!["cloud.worker.deploy", "cloud.*", "pay"]));
    let resource = option::weighted(0.3, select(vec!["cloud://acme/a", "cloud://*", "bank://\"1\\*"]));
    let artifact = option::weighted(0.2, option::of(novelty()));
    let at_most = option::weighted(0.2, select(vec![0, KIB]));
    let facts = (option::weighted(0.3, environment()), artifact, at_most, option::weighted(0.2, novelty()));
    (tenant, capability, resource, facts, then()).prop_map(|(tenant, capability, resource, facts, then)| {
        let (environment, artifact, at_most, component) = facts;
        // Never self-contradictory: such a rule is refused.
        let at_most = at_most.filter(|_| artifact != Some(None));
        Rule { tenant, capability, resource, environment, artifact, at_most, component, then }
    })
}

fn then() -> impl Strategy<Value = Then> {
    let ask = (option::of(select(&ROLES[..])), 1_u32..4);
    prop_oneof![
        2 => Just(Then::Allow),
        4 => ask.prop_map(|(role, approvals)| Then::Ask { role, approvals }),
        1 => Just(Then::Deny),
    ]
}

fn environment() -> impl Strategy<Value = Environment> {
    select(&Environment::ALL[..])
}

fn novelty() -> impl Strategy<Value = Novelty> {
    select(vec![Novelty::Known, Novelty::New])
}

/// The rules in TOML.
pub(crate) fn in_toml(rules: &[Rule]) -> String {
    let mut text = String::new();
    for (index, rule) in rules.iter().enumerate() {
        text.push_str(&format!("[[rule]]\nid = \"r{index}\"\n"));
        let texts = [("tenant", rule.tenant), ("capability", rule.capability), ("resource", rule.resource)];
        for (key, pattern) in texts {
            pattern.iter().for_each(|pattern| text.push_str(&format!("{key} = '{pattern}'\n")));
        }
        rule.environment.iter().for_each(|it| text.push_str(&format!("environment = \"{it}\"\n")));
        let artifact = rule.artifact.map(|artifact| artifact.map_or("none", Novelty::as_str));
        artifact.iter().for_each(|it| text.push_str(&format!("artifact = \"{it}\"\n")));
        rule.at_most.iter().for_each(|it| text.push_str(&format!("artifact-bytes-at-most = {it}\n")));
        rule.component.iter().for_each(|it| text.push_str(&format!("component = \"{it}\"\n")));
        text.push_str(&match rule.then {
            Then::Allow => "then = \"allow\"\n".to_owned(),
            Then::Deny => "then = \"deny\"\n".to_owned(),
            Then::Ask { role: None, approvals } => format!("then = \"ask\"\napprovals = {approvals}\n"),
            Then::Ask { role: Some(role), approvals } => {
                format!("then = \"ask\"\nrole = \"{role}\"\napprovals = {approvals}\n")
            }
        });
    }
    text
}

#[cfg(feature = "cedar")]
pub(crate) mod cedar;
