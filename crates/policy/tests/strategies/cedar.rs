//! Policies in Cedar: the rules that both engines can express, and any others.

use super::{Rule, Then};
use policy::Novelty;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// The rules in Cedar: a rule that does not deny applies where no earlier one matches, and where none does, one person is asked.
pub(crate) fn of_rules(rules: &[Rule]) -> String {
    let (mut text, mut earlier) = (String::new(), Vec::new());
    for (index, rule) in rules.iter().enumerate() {
        let matches = matches(rule);
        let others: String = earlier.iter().map(|other| format!(" && !({other})")).collect();
        let approvals = match rule.then {
            Then::Deny => {
                text.push_str(&format!(
                    "@id(\"r{index}\")\nforbid (principal, action, resource) when {{ {matches} }};\n"
                ));
                continue;
            }
            Then::Allow => String::new(),
            Then::Ask { role, approvals } => {
                format!(" && context.approvals[\"{}\"] >= {approvals}", role.unwrap_or("anyone"))
            }
        };
        text.push_str(&permit(&format!("r{index}"), &format!("{matches}{others}{approvals}")));
        earlier.push(matches);
    }
    let others: String = earlier.iter().map(|other| format!(" && !({other})")).collect();
    text + &permit("otherwise", &format!("context.approvals.anyone >= 1{others}"))
}

fn permit(id: &str, condition: &str) -> String {
    format!("@id(\"{id}\")\npermit (principal, action, resource) when {{ {condition} }};\n")
}

fn matches(rule: &Rule) -> String {
    let mut all = vec!["true".to_owned()];
    let texts = [
        ("context.tenant", rule.tenant),
        ("context.capability", rule.capability),
        ("resource.name", rule.resource),
    ];
    for (what, pattern) in texts {
        all.extend(pattern.map(|pattern| like(what, pattern)));
    }
    all.extend(rule.environment.map(|environment| format!("context.environment == \"{environment}\"")));
    all.extend(rule.artifact.map(|artifact| match artifact {
        None => "!(context has artifactBytes)".to_owned(),
        Some(novelty) => {
            format!("context has artifactKnown && context.artifactKnown == {}", novelty == Novelty::Known)
        }
    }));
    all.extend(
        rule.at_most.map(|most| format!("context has artifactBytes && context.artifactBytes <= {most}")),
    );
    all.extend(
        rule.component.map(|novelty| format!("context.componentKnown == {}", novelty == Novelty::Known)),
    );
    all.join(" && ")
}

fn like(what: &str, pattern: &str) -> String {
    let escaped = pattern.replace('\\', "\\\\").replace('"', "\\\"");
    if pattern.ends_with('*') {
        format!("{what} like \"{escaped}\"")
    } else {
        format!("{what} == \"{escaped}\"")
    }
}

/// Any policies, most of them accepted: in the others an approval might take something away.
pub(crate) fn policies() -> impl Strategy<Value = String> {
    let policy = (select(vec!["permit", "permit", "forbid"]), select(vec!["when", "unless"]), condition());
    vec(policy, 1..5).prop_map(|policies| {
        let written = policies.into_iter().enumerate().map(|(index, (effect, kind, condition))| {
            let direction = if (effect == "permit") == (kind == "when") {
                Monotonicity::Increasing
            } else {
                Monotonicity::Decreasing
            };
            let condition = condition.written(direction);
            format!("@id(\"p{index}\")\n{effect} (principal, action, resource) {kind} {{ {condition} }};\n")
        });
        written.collect()
    })
}

/// How a condition's value can change with more approvals.
#[derive(Clone, Copy)]
enum Monotonicity {
    Increasing,
    Decreasing,
}

/// A condition that can be written so that approvals make it true, and so that they make it false.
#[derive(Debug, Clone)]
enum Condition {
    /// A number of people with a role, with the operators for either direction.
    Count {
        role: &'static str,
        number: u32,
        increasing: &'static str,
        decreasing: &'static str,
    },
    Constant(&'static str),
    Both(Box<Condition>, Box<Condition>),
    Either(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
    If(Box<Condition>, Box<Condition>),
}

impl Condition {
    fn written(&self, direction: Monotonicity) -> String {
        let same = |one: &Self| one.written(direction);
        match self {
            Self::Count { role, number, increasing, decreasing } => {
                let operator = match direction {
                    Monotonicity::Increasing => increasing,
                    Monotonicity::Decreasing => decreasing,
                };
                format!("context.approvals[\"{role}\"] {operator} {number}")
            }
            Self::Constant(text) => (*text).to_owned(),
            Self::Both(one, other) => format!("({}) && ({})", same(one), same(other)),
            Self::Either(one, other) => format!("({}) || ({})", same(one), same(other)),
            Self::If(one, other) => {
                format!("if context.componentKnown then ({}) else ({})", same(one), same(other))
            }
            Self::Not(one) => match direction {
                Monotonicity::Increasing => format!("!({})", one.written(Monotonicity::Decreasing)),
                Monotonicity::Decreasing => format!("!({})", one.written(Monotonicity::Increasing)),
            },
        }
    }
}

fn condition() -> impl Strategy<Value = Condition> {
    let operators = prop_oneof![8 => Just((">=", "<")), 8 => Just((">", "<=")), 1 => Just(("<", ">="))];
    let count = (select(vec!["anyone", "release", "sec.ops"]), operators, 1_u32..4).prop_map(
        |(role, (increasing, decreasing), number)| Condition::Count { role, number, increasing, decreasing },
    );
    let still = select(vec![
        "context.environment == \"production\"",
        "context.tenant like \"acme*\"",
        "context has artifactBytes && context.artifactBytes < 2000",
        "action in Action::\"cloud.worker\"",
        "resource == Resource::\"cloud://acme/a\"",
        "context.componentKnown",
        "[\"staging\", \"production\"].contains(context.environment)",
    ]);
    let leaf = prop_oneof![3 => count, 2 => still.prop_map(Condition::Constant)];
    leaf.prop_recursive(3, 8, 2, |inner| {
        let two = (inner.clone(), inner.clone()).prop_map(|(one, other)| (Box::new(one), Box::new(other)));
        prop_oneof![
            3 => two.clone().prop_map(|(one, other)| Condition::Both(one, other)),
            3 => two.clone().prop_map(|(one, other)| Condition::Either(one, other)),
            1 => two.prop_map(|(one, other)| Condition::If(one, other)),
            1 => inner.prop_map(|one| Condition::Not(Box::new(one))),
        ]
    })
}
