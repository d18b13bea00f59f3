//! From a policy's text to policies that are proven to answer every question.

use super::counting::Thresholds;
use super::facts::Types;
use super::lattice::Lattice;
use super::outline::{Statement, statements};
use super::{Rule, counting, facts};
use crate::error::LineIndex;
use crate::grammar::value::{parse_duration, whole};
use crate::{
    AnswerKind, Ask, InvalidValue, MOST_MESSAGE, MOST_TEXT, PolicyError, PolicyErrorKind, RuleId, Suggestion,
    Warning,
};
use cedar_policy::{
    ActionConstraint, Effect, EntityId, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator,
};
use miette::Diagnostic;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

/// The most policies: more than a person reads.
const MOST_POLICIES: usize = 2_000;

/// The most operators and opening brackets in a policy. More than a person writes, and such nesting fits on the stack.
const MOST_SIGNS: usize = 256;

const ANNOTATIONS: &[&str] = &["id", "denials", "expires", "message"];

/// The result of reading a text.
pub(super) struct ParsedPolicies {
    pub(super) policies: PolicySet,
    pub(super) rules: Vec<Rule>,
    pub(super) lattice: Lattice,
    /// The depth of the deepest condition.
    pub(super) depth: usize,
    pub(super) types: Types,
    pub(super) warnings: Vec<Warning>,
}

/// Reads policies, and ensures that they have an answer to every question.
pub(super) fn read(text: &str) -> Result<ParsedPolicies, PolicyError> {
    if text.len() > MOST_TEXT {
        return Err(PolicyError { line: None, problem: PolicyErrorKind::TooLong(text.len()) });
    }
    let reader = Reader { text, lines: LineIndex::of(text), statements: statements(text) };
    let rules = reader.rules(&reader.parsed()?)?;
    let (lattice, depth) = reader.lattice(&rules)?;
    let policies = PolicySet::from_policies(rules.iter().map(|rule| rule.policy.clone()))
        .map_err(|error| whole_text(error.to_string()))?;
    let warnings = reader.validate(&policies, &rules, &lattice)?;
    let types = Types::new().map_err(whole_text)?;
    Ok(ParsedPolicies { policies, rules, lattice, depth, types, warnings })
}

struct Reader<'a> {
    text: &'a str,
    lines: LineIndex,
    statements: Vec<Statement>,
}

impl Reader<'_> {
    fn parsed(&self) -> Result<PolicySet, PolicyError> {
        self.is_parseable()?;
        let policies = PolicySet::from_str(self.text).map_err(|errors| {
            let first = errors.iter().next();
            let line = first.and_then(|error| self.labelled(error));
            let message = first.map_or_else(|| errors.to_string(), with_help);
            PolicyError { line, problem: PolicyErrorKind::Syntax { language: "Cedar", message } }
        })?;
        if policies.templates().next().is_some() {
            return Err(whole_text("templates, with ?principal or ?resource, are not available".to_owned()));
        }
        Ok(policies)
    }

    /// Bounds the input of the parser, which is recursive.
    fn is_parseable(&self) -> Result<(), PolicyError> {
        let count = self.statements.len();
        if count > MOST_POLICIES {
            return Err(PolicyError { line: None, problem: PolicyErrorKind::TooMany(count, MOST_POLICIES) });
        }
        let Some(long) = self.statements.iter().find(|statement| statement.signs > MOST_SIGNS) else {
            return Ok(());
        };
        let problem = PolicyErrorKind::TooManySigns(long.signs, MOST_SIGNS);
        Err(PolicyError { line: Some(self.lines.at(long.start)), problem })
    }

    /// The policies under their own ids, in the order of the text.
    fn rules(&self, parsed: &PolicySet) -> Result<Vec<Rule>, PolicyError> {
        // Cedar numbers them in the order of the text: policy0, policy1, ….
        let number = |policy: &Policy| policy.id().to_string().strip_prefix("policy")?.parse::<usize>().ok();
        let numbered: BTreeMap<_, _> = parsed.policies().map(|policy| (number(policy), policy)).collect();
        let mut rules: Vec<Rule> = Vec::new();
        let mut lines = BTreeMap::new();
        for (number, policy) in numbered {
            let statement = number.and_then(|number| self.statements.get(number));
            let line = self.lines.at(statement.map_or(0, |statement| statement.start));
            let rule = rule(policy, line).map_err(|problem| PolicyError { line: Some(line), problem })?;
            if let Some(first) = lines.insert(rule.id.clone(), line) {
                let problem = PolicyErrorKind::Duplicate { id: rule.id.to_string(), first };
                return Err(PolicyError { line: Some(line), problem });
            }
            rules.push(rule);
        }
        Ok(rules)
    }

    /// Checks that approvals can only help, and finds the numbers of approvals that make a difference and the depth of
    /// the deepest condition.
    fn lattice(&self, rules: &[Rule]) -> Result<(Lattice, usize), PolicyError> {
        let (mut thresholds, mut deepest) = (Thresholds::new(), 0);
        for rule in rules {
            let refused = |message: String| {
                let problem = PolicyErrorKind::Cedar { subject: format!("rule {}", rule.id), message };
                PolicyError { line: Some(rule.line), problem }
            };
            let tree = rule.policy.to_pst().map_err(|error| refused(error.to_string()))?;
            let depth = counting::read(tree.body(), &mut thresholds);
            deepest = deepest.max(depth.map_err(|error| refused(error.to_string()))?);
        }
        let lattice = Lattice::of(thresholds).map_err(|error| whole_text(error.to_string()))?;
        Ok((lattice, deepest))
    }

    fn validate(
        &self,
        policies: &PolicySet,
        rules: &[Rule],
        lattice: &Lattice,
    ) -> Result<Vec<Warning>, PolicyError> {
        let named = named_actions(rules.iter());
        let above = named_actions(rules.iter().filter(|rule| !is_about_one(rule)));
        let schema = facts::schema(&named, &above, lattice);
        let schema = Schema::from_str(&schema).map_err(|error| whole_text(error.to_string()))?;
        let result = Validator::new(schema).validate(policies, ValidationMode::Strict);
        let line_of = |id: &PolicyId| {
            let rule = rules.iter().find(|rule| rule.policy.id() == id);
            rule.map_or(1, |rule| rule.line)
        };
        if let Some(error) = result.validation_errors().next() {
            let line = self.labelled(error).unwrap_or_else(|| line_of(error.policy_id()));
            let subject = format!("rule {}", error.policy_id());
            return Err(PolicyError {
                line: Some(line),
                problem: PolicyErrorKind::Cedar { subject, message: with_help(error) },
            });
        }
        let warning = |warning: &cedar_policy::ValidationWarning| Warning {
            line: line_of(warning.policy_id()),
            message: warning.to_string(),
        };
        Ok(result.validation_warnings().map(warning).collect())
    }

    /// The line of the first place that an error of Cedar points to.
    fn labelled(&self, error: &dyn Diagnostic) -> Option<usize> {
        let label = error.labels()?.next()?;
        Some(self.lines.at(label.offset()))
    }
}

/// A policy under its own id, with its annotations.
fn rule(policy: &Policy, line: usize) -> Result<Rule, PolicyErrorKind> {
    let example = "@id(\"small-changes\")";
    let missing = PolicyErrorKind::Missing { place: "a policy", key: "@id", example };
    let id: RuleId = policy.annotation("id").ok_or(missing)?.parse()?;
    let kind = match policy.effect() {
        Effect::Permit => AnswerKind::Allow,
        Effect::Forbid => AnswerKind::Deny,
    };
    for (key, _) in policy.annotations() {
        known_annotation(key, kind)?;
    }
    let denials = policy.annotation("denials").map(people).transpose()?;
    let expires = policy.annotation("expires").map(|text| {
        parse_duration(text).map_err(|invalid| PolicyErrorKind::Value {
            key: "@expires",
            value: text.to_owned(),
            invalid,
        })
    });
    let message = policy.annotation("message").map(str::to_owned);
    if let Some(long) = message.as_ref().map(String::len).filter(|len| *len > MOST_MESSAGE) {
        return Err(PolicyErrorKind::LongMessage(long));
    }
    let policy = policy.new_id(PolicyId::new(id.as_str()));
    Ok(Rule { id, line, kind, denials, expires: expires.transpose()?, message, policy })
}

fn known_annotation(key: &str, kind: AnswerKind) -> Result<(), PolicyErrorKind> {
    let misplaced = |key, goes_with| {
        if goes_with == kind { Ok(()) } else { Err(PolicyErrorKind::Annotation { key, goes_with }) }
    };
    match key {
        "id" => Ok(()),
        "denials" => misplaced("@denials", AnswerKind::Allow),
        "expires" => misplaced("@expires", AnswerKind::Allow),
        "message" => misplaced("@message", AnswerKind::Deny),
        other => {
            let (key, known) = (other.chars().take(64).collect(), Suggestion::of(other, ANNOTATIONS));
            Err(PolicyErrorKind::UnknownKey { key, place: "the annotations of a policy", known })
        }
    }
}

fn people(text: &str) -> Result<u32, PolicyErrorKind> {
    let number = whole(text).flatten().and_then(|number| u32::try_from(number).ok());
    let invalid = || PolicyErrorKind::Value {
        key: "@denials",
        value: text.to_owned(),
        invalid: InvalidValue::NotACount(1, Ask::MOST),
    };
    number.filter(|number| (1..=Ask::MOST).contains(number)).ok_or_else(invalid)
}

/// The capabilities that these policies name.
fn named_actions<'a>(rules: impl Iterator<Item = &'a Rule>) -> BTreeSet<EntityId> {
    let literals = rules.flat_map(|rule| rule.policy.entity_literals());
    literals.filter(|uid| uid.type_name().to_string() == "Action").map(|uid| uid.id().clone()).collect()
}

/// Whether a policy's head holds for one capability only, and so for none below a named one.
fn is_about_one(rule: &Rule) -> bool {
    matches!(rule.policy.action_constraint(), ActionConstraint::Eq(_))
}

fn with_help(error: &(impl Diagnostic + ?Sized)) -> String {
    let help = error.help().map(|help| format!(" ({help})")).unwrap_or_default();
    format!("{error}{help}")
}

fn whole_text(message: String) -> PolicyError {
    PolicyError {
        line: None,
        problem: PolicyErrorKind::Cedar { subject: "the policies".to_owned(), message },
    }
}
