//! Policies in Cedar: the rules that both engines can express, and any others.

use super::Rule;
use super::Then;
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

/// Any policies, of conditions that may or may not be accepted.
pub(crate) fn policies() -> impl Strategy<Value = String> {
    let policy = (select(vec!["permit", "permit", "forbid"]), select(vec!["when", "unless"]), condition());
    vec(policy, 1..5).prop_map(|policies| {
        let written = policies.into_iter().enumerate().map(|(index, (effect, kind, condition))| {
            format!("@id(\"p{index}\")\n{effect} (principal, action, resource) {kind} {{ {condition} }};\n")
        });
        written.collect()
    })
}

fn condition() -> impl Strategy<Value = String> {
    let count =
        (select(vec!["anyone", "release", "[\"sec.ops\"]"]), select(vec![">=", ">", "<", "<="]), 1..4)
            .prop_map(|(role, op, number)| {
                let dot = if role.starts_with('[') { "" } else { "." };
                format!("context.approvals{dot}{role} {op} {number}")
            });
    let still = select(vec![
        "context.environment == \"production\"",
        "context.tenant like \"acme*\"",
        "context has artifactBytes && context.artifactBytes < 2000",
        "action in Action::\"cloud.worker\"",
        "resource == Resource::\"cloud://acme/a\"",
        "context.componentKnown",
        "[\"staging\", \"production\"].contains(context.environment)",
    ]);
    let leaf = prop_oneof![3 => count, 2 => still.prop_map(str::to_owned)];
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            3 => (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("({one}) && ({other})")),
            3 => (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("({one}) || ({other})")),
            1 => inner.clone().prop_map(|one| format!("!({one})")),
            1 => (inner.clone(), inner)
                .prop_map(|(one, other)| format!("if context.componentKnown then ({one}) else ({other})")),
        ]
    })
}
