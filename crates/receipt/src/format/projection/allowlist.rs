//! The frozen tables: which paths a tag may publish, and in what form.

use super::Projection;
use crate::json::Json;

/// A path that may be published.
#[derive(Debug)]
pub(super) struct Field {
    /// The segments. A trailing `[]` means that the segment names an array and the rest applies to each element.
    pub(super) path: &'static [&'static str],
    pub(super) slot: Slot,
    mark: Confidentiality,
}

/// The values that a path may hold.
#[derive(Clone, Copy, Debug)]
pub(super) enum Slot {
    /// A scalar or an array of scalars.
    Value,
    /// A short string without white space or free text.
    Identifier,
    /// The value is one of these strings.
    OneOf(&'static [&'static str]),
}

/// What a path reveals when the repository is not public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Confidentiality {
    None,
    /// The specification's dagger.
    Repository,
    /// The specification's double dagger. `deploy_gate/v1` shares its table with `deploy_gate/v2` and ignores it.
    Rule,
}

const REVERSIBILITY: Slot = Slot::OneOf(&["REVERSIBLE", "PARTIALLY_REVERSIBLE", "IRREVERSIBLE"]);
const VISIBILITY: Slot = Slot::OneOf(&["public", "private"]);
const ENVIRONMENT: Slot = Slot::OneOf(&["development", "staging", "production"]);

impl Projection {
    /// The allowlist. Paths with a common prefix are adjacent.
    pub(super) fn allowlist(self) -> &'static [Field] {
        match self {
            Self::DeployGateV1 | Self::DeployGateV2 => &DEPLOY_GATE,
            Self::ExecuteV1 => &EXECUTE,
            Self::RevocationV1 => &REVOCATION,
        }
    }

    /// What `field` reveals under this tag, in the specification's words; `None` if the value may always be shown.
    pub(super) fn confidential(self, field: &Field) -> Option<&'static str> {
        match field.mark {
            Confidentiality::Repository => Some("repository identity"),
            Confidentiality::Rule if self == Self::DeployGateV2 => Some("policy rule identity"),
            Confidentiality::Rule | Confidentiality::None => None,
        }
    }
}

impl Field {
    /// The segment at `depth` without its `[]`.
    pub(super) fn key(&self, depth: usize) -> &'static str {
        let segment = self.path[depth];
        if self.is_each(depth) { &segment[..segment.len() - 2] } else { segment }
    }

    /// Whether the segment at `depth` names an array.
    pub(super) fn is_each(&self, depth: usize) -> bool {
        // The last byte is enough, because keys contain no brackets. This runs for every member of every projection.
        self.path[depth].as_bytes().last() == Some(&b']')
    }

    /// Whether the path ends at `depth`.
    pub(super) fn is_leaf(&self, depth: usize) -> bool {
        self.path.len() == depth + 1
    }
}

impl Slot {
    /// Whether `value` is allowed here.
    pub(super) fn admits(self, value: &Json) -> bool {
        match self {
            Self::Value => value.as_array().map_or(value.is_scalar(), |all| all.iter().all(Json::is_scalar)),
            Self::Identifier => value.as_str().is_some_and(is_identifier),
            Self::OneOf(words) => value.as_str().is_some_and(|text| words.contains(&text)),
        }
    }
}

/// The specification's `^[A-Za-z0-9._:/-]{1,128}$`.
fn is_identifier(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/-".contains(&byte);
    (1..=128).contains(&text.len()) && text.bytes().all(allowed)
}

const fn field(path: &'static [&'static str], slot: Slot) -> Field {
    Field { path, slot, mark: Confidentiality::None }
}

const fn repository(path: &'static [&'static str], slot: Slot) -> Field {
    Field { path, slot, mark: Confidentiality::Repository }
}

const fn rule(path: &'static [&'static str], slot: Slot) -> Field {
    Field { path, slot, mark: Confidentiality::Rule }
}

/// `execute/v1`: four names the agent typed, and two words the interface validates.
static EXECUTE: [Field; 6] = [
    field(&["intent", "name"], Slot::Identifier),
    field(&["intent", "category"], Slot::Identifier),
    field(&["action", "tool"], Slot::Identifier),
    field(&["action", "operation"], Slot::Identifier),
    field(&["context", "environment"], ENVIRONMENT),
    field(&["context", "reversibility"], REVERSIBILITY),
];

/// `revocation/v1`: the receipt that was revoked, and the scope of what it had allowed.
static REVOCATION: [Field; 11] = [
    field(&["intent", "name"], Slot::Value),
    field(&["metadata", "revokedReceiptId"], Slot::Value),
    field(&["metadata", "deployGateRequestId"], Slot::Value),
    field(&["scope", "env"], Slot::Identifier),
    field(&["scope", "capability"], Slot::Identifier),
    field(&["scope", "commitSha"], Slot::Identifier),
    field(&["scope", "artifact_digest"], Slot::Identifier),
    field(&["scope", "visibility"], VISIBILITY),
    repository(&["scope", "repo"], Slot::Identifier),
    repository(&["scope", "ref"], Slot::Identifier),
    repository(&["scope", "workflow"], Slot::Identifier),
];

/// `deploy_gate/v1` and `deploy_gate/v2`, which differ in whether the rule marks count.
static DEPLOY_GATE: [Field; 61] = [
    field(&["intent", "name"], Slot::Value),
    field(&["intent", "category"], Slot::Value),
    field(&["action", "tool"], Slot::Value),
    field(&["action", "operation"], Slot::Value),
    field(&["context", "environment"], Slot::Identifier),
    field(&["context", "reversibility"], REVERSIBILITY),
    field(&["scope", "env"], Slot::Identifier),
    field(&["scope", "capability"], Slot::Identifier),
    field(&["scope", "commitSha"], Slot::Identifier),
    field(&["scope", "artifact_digest"], Slot::Identifier),
    field(&["scope", "visibility"], VISIBILITY),
    repository(&["scope", "repo"], Slot::Identifier),
    repository(&["scope", "ref"], Slot::Identifier),
    repository(&["scope", "workflow"], Slot::Identifier),
    field(&["policy", "expiresAt"], Slot::Value),
    field(&["policy", "decision", "outcome"], Slot::Value),
    rule(&["policy", "decision", "ruleId"], Slot::Value),
    rule(&["policy", "decision", "ruleVersion"], Slot::Value),
    field(&["policy", "decision", "matchedInputs", "changeClass"], Slot::Value),
    field(&["policy", "decision", "matchedInputs", "analysisComplete"], Slot::Value),
    repository(&["policy", "decision", "matchedInputs", "targetBranch"], Slot::Value),
    repository(&["policy", "decision", "matchedInputs", "defaultBranch"], Slot::Value),
    repository(&["policy", "decision", "matchedInputs", "changedPaths"], Slot::Value),
    field(&["policy", "authorizationBinding", "version"], Slot::Value),
    field(&["policy", "authorizationBinding", "path"], Slot::Value),
    field(&["policy", "authorizationBinding", "commitSha"], Slot::Value),
    field(&["policy", "authorizationBinding", "rulesHash"], Slot::Value),
    repository(&["policy", "authorizationBinding", "repository"], Slot::Value),
    repository(&["policy", "authorizationBinding", "branch"], Slot::Value),
    repository(&["policy", "authorizationBinding", "prNumber"], Slot::Value),
    field(&["policyAuthorization", "version"], Slot::Value),
    field(&["policyAuthorization", "evaluatorVersion"], Slot::Value),
    field(&["policyAuthorization", "policyBlob"], Slot::Value),
    field(&["policyAuthorization", "headSha"], Slot::Value),
    repository(&["policyAuthorization", "branch"], Slot::Value),
    field(&["policyAuthorization", "recordedDecisions[]", "displayName"], Slot::Value),
    field(&["policyAuthorization", "recordedDecisions[]", "at"], Slot::Value),
    field(&["metadata", "deployGateRequestId"], Slot::Value),
    field(&["metadata", "denial", "category"], Slot::Value),
    field(&["metadata", "denial", "decisionClass"], Slot::Value),
    rule(&["metadata", "denial", "ruleId"], Slot::Value),
    field(&["metadata", "denial", "final"], Slot::Value),
    field(&["metadata", "denial", "requireNewRequest"], Slot::Value),
    field(&["metadata", "denial", "decidedAt"], Slot::Value),
    field(&["metadata", "override", "overriddenReceiptId"], Slot::Value),
    field(&["metadata", "override", "overriddenDecisionClass"], Slot::Value),
    rule(&["metadata", "override", "ruleId"], Slot::Value),
    rule(&["metadata", "override", "ruleVersion"], Slot::Value),
    field(&["metadata", "override", "deniedAt"], Slot::Value),
    field(&["metadata", "override", "grantsAuthorization"], Slot::Value),
    field(&["metadata", "override", "nextState"], Slot::Value),
    repository(&["metadata", "pullRequest"], Slot::Value),
    field(&["metadata", "demo"], Slot::Value),
    field(&["metadata", "demoScope"], Slot::Value),
    field(&["metadata", "approverDisplayName"], Slot::Value),
    field(&["deploymentRenewal", "purpose"], Slot::Value),
    field(&["deploymentRenewal", "previousReceiptId"], Slot::Value),
    field(&["deploymentRenewal", "mergeCommitSha"], Slot::Value),
    field(&["deploymentRenewal", "rulesHash"], Slot::Value),
    field(&["deploymentRenewal", "recordedDecisions[]", "displayName"], Slot::Value),
    field(&["deploymentRenewal", "recordedDecisions[]", "at"], Slot::Value),
];

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    /// Walking the tables by contiguous runs is only right when this holds.
    #[test]
    fn common_beginnings_stand_together_and_no_leaf_is_a_container() {
        for table in [&EXECUTE[..], &REVOCATION, &DEPLOY_GATE] {
            let mut seen: Vec<&[&str]> = Vec::new();
            for (index, field) in table.iter().enumerate() {
                for depth in 1..=field.path.len() {
                    let prefix = &field.path[..depth];
                    let continues = index > 0 && table[index - 1].path.starts_with(prefix);
                    assert!(continues || !seen.contains(&prefix), "{:?}", field.path);
                    seen.push(prefix);
                }
                assert!(
                    !field.is_each(field.path.len() - 1),
                    "a path ends in a value, not in an array position"
                );
                assert_eq!(table.iter().filter(|other| other.path.starts_with(field.path)).count(), 1);
            }
        }
    }

    /// No allowlist may publish a value that the commitment hides.
    #[test]
    fn reserved_keys_are_never_projected() {
        for table in [&EXECUTE[..], &REVOCATION, &DEPLOY_GATE] {
            assert!(table.iter().all(|field| !["receiptBinding", "receiptSummary", "projection"].contains(&field.path[0])));
        }
    }
}
