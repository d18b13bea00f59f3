//! Policies in Cedar.

mod counting;
mod facts;
mod lattice;
mod outline;
mod read;
mod vocabulary;
mod why;

use crate::people::Tally;
use crate::{
    Answer, AnswerKind, Ask, Demand, Explanation, Need, Pattern, Policy, PolicyError, Question, Quorum, Role,
    RuleId, Ruling, Warning, version,
};
use cedar_policy::{ActionConstraint, Authorizer, Decision, EntityUid, PolicySet};
use facts::{Facts, Types};
use lattice::{Lattice, Point};
use read::ParsedPolicies;
use receipt::Digest;
use std::collections::BTreeSet;
use std::time::Duration;

/// A policy in the Cedar language. `docs/policy.md` is its manual, with the schema.
///
/// Cedar answers only yes or no. So it is evaluated more than once: with the present approvals, and with as many as
/// could make a difference. Yes to the first allows; no to the second denies; otherwise people are asked, and the
/// sufficient quorums are found by trying every number of approvals that the policies compare with. This is exact
/// because of the restrictions on the text: see `counting`.
#[derive(Debug)]
pub struct Cedar {
    policies: PolicySet,
    rules: Vec<Rule>,
    lattice: Lattice,
    depth: usize,
    types: Types,
    digest: Digest,
    warnings: Vec<Warning>,
}

#[derive(Debug)]
struct Rule {
    id: RuleId,
    line: usize,
    kind: AnswerKind,
    denials: Option<u32>,
    expires: Option<Duration>,
    message: Option<String>,
    policy: cedar_policy::Policy,
}

/// The stack for reading the largest policy. Reading takes a third of it in a build without optimisation.
const STACK_TO_READ: usize = 64 << 20;

/// The stack for evaluating the flattest policy, and the addition for each level of nesting: twice what a build without
/// optimisation takes.
const STACK_TO_ASK: usize = 256 << 10;
const STACK_A_LEVEL: usize = 96 << 10;

/// The policies' answer for some approvals, and the rules that determine it. `None`: no policy permits it.
enum CedarDecision {
    Permitted(Vec<RuleId>),
    Denied(Vec<RuleId>),
}

impl Cedar {
    /// Parses policies.
    ///
    /// # Errors
    /// The text is not Cedar, does not fit the schema, or an additional approval could take away what it allows.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let read = stacker::grow(STACK_TO_READ, || read::read(text))?;
        Ok(Self::of(read, Digest::of(text.as_bytes())))
    }

    fn of(read: ParsedPolicies, digest: Digest) -> Self {
        let ParsedPolicies { policies, rules, lattice, depth, types, warnings } = read;
        Self { policies, rules, lattice, depth, types, digest, warnings }
    }

    /// Runs recursive work on a stack that is large enough for the policies' nesting. Otherwise Cedar stops when little
    /// stack is left, and the answer would depend on the caller's stack.
    fn with_stack<T>(&self, work: impl FnOnce() -> T) -> T {
        let stack = STACK_TO_ASK + self.depth * STACK_A_LEVEL;
        stacker::maybe_grow(stack, stack, work)
    }

    fn ruling(&self, question: &Question<'_>) -> Result<Ruling, String> {
        let facts = Facts::of(&self.types, &self.lattice, question)?;
        let point = self.lattice.at(&Tally::of(question.approvals));
        if let CedarDecision::Permitted(rules) = self.decision(&facts, &point)? {
            return Ok(Ruling { answer: Answer::Allow, rules, message: None });
        }
        match self.decision(&facts, &self.lattice.top())? {
            CedarDecision::Permitted(_) => self.ask(&facts),
            CedarDecision::Denied(rules) => Ok(self.deny(rules)),
        }
    }

    fn decision(&self, facts: &Facts<'_>, point: &Point) -> Result<CedarDecision, String> {
        let request = facts.request(point)?;
        let response = Authorizer::new().is_authorized(&request, &self.policies, &facts.entities);
        let diagnostics = response.diagnostics();
        if let Some(error) = diagnostics.errors().next() {
            return Err(error.to_string());
        }
        let reasons: BTreeSet<&str> = diagnostics.reason().map(AsRef::as_ref).collect();
        let rules = self.rules.iter().filter(|rule| reasons.contains(rule.id.as_str()));
        let rules = rules.map(|rule| rule.id.clone()).collect();
        Ok(match response.decision() {
            Decision::Allow => CedarDecision::Permitted(rules),
            Decision::Deny => CedarDecision::Denied(rules),
        })
    }

    fn ask(&self, facts: &Facts<'_>) -> Result<Ruling, String> {
        let mut enough = Vec::new();
        for point in self.lattice.points() {
            if let CedarDecision::Permitted(rules) = self.decision(facts, &self.lattice.implied(&point))? {
                enough.push((point, rules));
            }
        }
        let least = self.lattice.least(&enough.iter().map(|(point, _)| point.clone()).collect::<Vec<_>>());
        let permits = enough.iter().filter(|(point, _)| least.contains(point)).flat_map(|(_, rules)| rules);
        let permits: BTreeSet<_> = permits.collect();
        let rules = || self.rules.iter().filter(|rule| permits.contains(&rule.id));
        let ask = Ask {
            quorums: least.iter().map(|point| self.lattice.quorum(point)).collect(),
            denials: rules().filter_map(|rule| rule.denials).min().unwrap_or(Ask::DENIALS),
            expires: rules().filter_map(|rule| rule.expires).min().unwrap_or(Ask::EXPIRES),
            keys: crate::KeyClass::Any,
        };
        let rules = rules().map(|rule| rule.id.clone()).collect();
        Ok(Ruling { answer: Answer::Ask(ask), rules, message: None })
    }

    fn deny(&self, mut rules: Vec<RuleId>) -> Ruling {
        let said = self.rules.iter().filter(|rule| rules.contains(&rule.id));
        let message = said.filter_map(|rule| rule.message.clone()).next();
        if rules.is_empty() {
            rules.push(RuleId::of_default());
        }
        Ruling { answer: Answer::Deny, rules, message }
    }
}

/// The ruling of policies that could not be asked. Nothing is allowed on a guess.
fn failed(reason: &str) -> Ruling {
    let message = format!("the policy could not be evaluated: {reason}");
    Ruling { answer: Answer::Deny, rules: Vec::new(), message: Some(message) }
}

impl Policy for Cedar {
    fn rule(&self, question: &Question<'_>) -> Ruling {
        self.with_stack(|| self.ruling(question)).unwrap_or_else(|reason| failed(&reason))
    }

    fn explain(&self, question: &Question<'_>) -> Explanation {
        let ruling = self.rule(question);
        let rules = self.with_stack(|| self.considered(question, &ruling)).unwrap_or_default();
        Explanation { ruling, rules }
    }

    fn digest(&self) -> Digest {
        self.digest
    }

    fn version(&self) -> String {
        version("cedar", &self.digest)
    }

    fn roles(&self) -> BTreeSet<Role> {
        self.lattice.roles().flatten().cloned().collect()
    }

    fn demands(&self) -> Vec<Demand> {
        let asked = |need: Need| {
            let ask = Ask { quorums: vec![Quorum { needs: vec![need] }], ..Ask::one() };
            // The text of one policy does not determine which policies hold together.
            Demand { ask: Some(ask), ..Demand::default() }
        };
        self.rules.iter().map(Rule::demand).chain(self.lattice.needs().map(asked)).collect()
    }

    fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}

impl Rule {
    /// The capabilities that its head names. Whom it asks follows from all rules together.
    fn demand(&self) -> Demand {
        let named = |uid: &EntityUid| Pattern::Exact(uid.id().unescaped().to_owned());
        let capabilities = match self.policy.action_constraint() {
            ActionConstraint::Any => Vec::new(),
            ActionConstraint::Eq(uid) => vec![named(&uid)],
            ActionConstraint::In(uids) => {
                let within = |uid: &EntityUid| Pattern::Beginning(format!("{}.", uid.id().unescaped()));
                uids.iter().flat_map(|uid| [named(uid), within(uid)]).collect()
            }
        };
        Demand { rule: Some(self.id.clone()), line: Some(self.line), capabilities, ..Demand::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Component, Environment, Novelty};

    /// Parses policies without the checks. Only unchecked policies can fail: no accepted text has policies that fail.
    fn unchecked(text: &str) -> Cedar {
        let policies: PolicySet = text.parse().unwrap();
        let checked = read::read("@id(\"it\") permit (principal, action, resource);").unwrap();
        Cedar::of(ParsedPolicies { policies, ..checked }, Digest::of(text.as_bytes()))
    }

    #[test]
    fn a_policy_that_fails_denies_whatever_others_permit() {
        let policy = unchecked(
            "permit (principal, action, resource);\n\
             permit (principal, action, resource) when { context.nothing };",
        );
        let (tenant, actor) = ("acme".parse().unwrap(), "agent:builder".parse().unwrap());
        let component = Component { sha256: Digest::of(b"component"), novelty: Novelty::Known };
        let question = Question {
            tenant: &tenant,
            actor: &actor,
            capability: "pay",
            resource: "bank://x",
            environment: Environment::Staging,
            artifact: None,
            component,
            approvals: &[],
        };
        let ruling = policy.rule(&question);
        assert_eq!(ruling.answer, Answer::Deny);
        assert!(ruling.message.unwrap().starts_with("the policy could not be evaluated: "));
    }
}
