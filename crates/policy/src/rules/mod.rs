//! Policies as a list of rules, in TOML.

mod matcher;
mod read;
mod verdict;

use crate::{
    AnswerKind, Ask, Considered, Demand, Explanation, Pattern, Policy, PolicyError, Question, Role, RuleId,
    RuleOutcome, Ruling, Warning, version,
};
use matcher::{Field, Matcher};
use receipt::Digest;
use std::collections::BTreeSet;
use verdict::Verdict;

/// The policy without a policy file.
const ASK_ONE: &str = "# Every action asks one person.\n[default]\nthen = \"ask\"\n";

/// A policy that is a list of rules. `docs/policy.md` is its manual.
///
/// A rule matches when all its matchers match. **A matching rule that denies decides, at any position; otherwise the
/// first rule that matches decides; if none matches, the default decides.** So a `deny` can be added anywhere, and
/// holds whatever the other rules are. The others are read from top to bottom, the particular before the general.
#[derive(Debug)]
pub struct Toml {
    rules: Vec<Rule>,
    default: Fallback,
    digest: Digest,
    warnings: Vec<Warning>,
}

#[derive(Debug)]
struct Rule {
    id: RuleId,
    line: usize,
    /// All of these have to match, in the order of [`Matcher::rank`].
    matchers: Vec<Matcher>,
    verdict: Verdict,
}

/// The answer if no rule matches.
#[derive(Debug)]
struct Fallback {
    line: Option<usize>,
    verdict: Verdict,
}

/// The policy that holds without a policy file: every action asks one person, any decider.
#[must_use]
pub fn ask_one() -> Toml {
    // Written out, because parsing could fail; a test checks that it equals the text.
    Toml {
        rules: Vec::new(),
        default: Fallback { line: Some(2), verdict: Verdict::Ask(Ask::one()) },
        digest: Digest::of(ASK_ONE.as_bytes()),
        warnings: Vec::new(),
    }
}

impl Toml {
    /// Parses a policy's text.
    ///
    /// # Errors
    /// When the text has an unknown part or contradicts itself. The error names the first such part with its line.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let (rules, default) = read::read(text)?;
        let warnings = warnings(&rules, &default);
        Ok(Self { rules, default, digest: Digest::of(text.as_bytes()), warnings })
    }

    /// The rule that decides, or `None` if the default does.
    fn decisive(&self, question: &Question<'_>) -> Option<&Rule> {
        let mut first = None;
        for rule in self.rules.iter().filter(|rule| rule.fits(question)) {
            if rule.verdict.kind() == AnswerKind::Deny {
                return Some(rule);
            }
            first = first.or(Some(rule));
        }
        first
    }

    fn ruling(&self, decisive: Option<&Rule>, question: &Question<'_>) -> Ruling {
        let verdict = decisive.map_or(&self.default.verdict, |rule| &rule.verdict);
        let id = decisive.map_or_else(RuleId::of_default, |rule| rule.id.clone());
        Ruling {
            answer: verdict.answer(question),
            rules: vec![id],
            message: verdict.message().map(str::to_owned),
        }
    }

    /// The default's part in the ruling.
    fn default_considered(&self, decisive: Option<&Rule>) -> Considered {
        Considered {
            rule: RuleId::of_default(),
            line: self.default.line,
            kind: self.default.verdict.kind(),
            outcome: decisive.map_or(RuleOutcome::Decides, |rule| RuleOutcome::Overruled(rule.id.clone())),
        }
    }
}

impl Policy for Toml {
    fn rule(&self, question: &Question<'_>) -> Ruling {
        self.ruling(self.decisive(question), question)
    }

    fn explain(&self, question: &Question<'_>) -> Explanation {
        let decisive = self.decisive(question);
        let mut rules: Vec<_> = self.rules.iter().map(|rule| rule.considered(decisive, question)).collect();
        rules.push(self.default_considered(decisive));
        Explanation { ruling: self.ruling(decisive, question), rules }
    }

    fn digest(&self) -> Digest {
        self.digest
    }

    fn version(&self) -> String {
        version("toml", &self.digest)
    }

    fn roles(&self) -> BTreeSet<Role> {
        let verdicts = self.rules.iter().map(|rule| &rule.verdict).chain([&self.default.verdict]);
        verdicts.flat_map(Verdict::roles).cloned().collect()
    }

    fn demands(&self) -> Vec<Demand> {
        let default = Demand {
            rule: Some(RuleId::of_default()),
            line: self.default.line,
            ask: self.default.verdict.ask().cloned(),
            ..Demand::default()
        };
        self.rules.iter().map(Rule::demand).chain([default]).collect()
    }

    fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}

impl Rule {
    fn fits(&self, question: &Question<'_>) -> bool {
        self.matchers.iter().all(|matcher| matcher.fits(question))
    }

    fn demand(&self) -> Demand {
        let texts = |wanted: Field| {
            let of = |matcher: &Matcher| match matcher {
                Matcher::Text(field, any_of) if *field == wanted => Some(any_of.clone()),
                _ => None,
            };
            self.matchers.iter().find_map(of).unwrap_or_default()
        };
        let environments = self.matchers.iter().find_map(|matcher| match matcher {
            Matcher::Environment(any_of) => Some(any_of.clone()),
            _ => None,
        });
        // A beginning may be any tenant's.
        let exact = |pattern: &Pattern| match pattern {
            Pattern::Exact(name) => name.parse().ok(),
            Pattern::Beginning(_) => None,
        };
        let tenants: Option<Vec<_>> = texts(Field::Tenant).iter().map(exact).collect();
        Demand {
            rule: Some(self.id.clone()),
            line: Some(self.line),
            tenants: tenants.unwrap_or_default(),
            environments: environments.unwrap_or_default(),
            ask: self.verdict.ask().cloned(),
            capabilities: texts(Field::Capability),
        }
    }

    /// Whether this rule matches every question that the other matches.
    fn covers(&self, other: &Self) -> bool {
        let needed = |matcher: &Matcher| other.matchers.iter().any(|theirs| matcher.covers(theirs));
        self.matchers.iter().all(needed)
    }

    fn considered(&self, decisive: Option<&Self>, question: &Question<'_>) -> Considered {
        let first_mismatch = self.matchers.iter().find(|matcher| !matcher.fits(question));
        let outcome = match (first_mismatch, decisive) {
            (Some(matcher), _) => RuleOutcome::Fails(matcher.mismatch(question)),
            (None, Some(rule)) if rule.id != self.id => RuleOutcome::Overruled(rule.id.clone()),
            (None, _) => RuleOutcome::Decides,
        };
        Considered { rule: self.id.clone(), line: Some(self.line), kind: self.verdict.kind(), outcome }
    }
}

/// Warns of rules that can never decide, and of a default that asks for no approval.
fn warnings(rules: &[Rule], default: &Fallback) -> Vec<Warning> {
    let unreachable = rules.iter().enumerate().filter_map(|(place, rule)| {
        let (Rule { id, line, .. }, by) = (rule, shadow(rules, place)?);
        let why = if by.verdict.kind() == AnswerKind::Deny { "denies" } else { "comes first and matches" };
        let message = format!(
            "rule {id} never decides: {} on line {} {why} everything that it matches",
            by.id, by.line
        );
        Some(Warning { line: *line, message })
    });
    let open = default.line.filter(|_| default.verdict == Verdict::Allow).map(|line| Warning {
        line,
        message: "every action that no rule matches is allowed, and no person is asked".to_owned(),
    });
    unreachable.chain(open).collect()
}

/// The rule that takes precedence over the rule at `place` and matches whenever that rule matches.
fn shadow(rules: &[Rule], place: usize) -> Option<&Rule> {
    let rule = rules.get(place)?;
    let goes_before = |(index, other): &(usize, &Rule)| {
        let (denies, denied) =
            (other.verdict.kind() == AnswerKind::Deny, rule.verdict.kind() == AnswerKind::Deny);
        let first = *index < place && denies == denied;
        (first || denies && !denied) && other.covers(rule)
    };
    rules.iter().enumerate().find(goes_before).map(|(_, other)| other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_without_a_file_is_what_its_text_says() {
        let (built, read) = (ask_one(), Toml::parse(ASK_ONE).unwrap());
        assert_eq!(format!("{built:?}"), format!("{read:?}"));
    }
}
