//! The reason why each policy did or did not decide.

use super::facts::Facts;
use super::lattice::Point;
use super::{Cedar, Rule};
use crate::people::Tally;
use crate::{Answer, AnswerKind, Considered, Mismatch, Question, RuleId, RuleOutcome, Ruling};
use cedar_policy::pst::{
    ActionConstraint, Effect, Policy, PolicyID, PrincipalConstraint, ResourceConstraint, StaticPolicy,
    Template,
};
use cedar_policy::{Authorizer, Decision, PolicySet};
use workflow::Quoted;

impl Cedar {
    /// The part of each policy in the answer.
    pub(super) fn considered(
        &self,
        question: &Question<'_>,
        ruling: &Ruling,
    ) -> Result<Vec<Considered>, String> {
        let facts = Facts::of(&self.types, &self.lattice, question)?;
        let here = self.lattice.at(&Tally::of(question.approvals));
        let places = Places { facts, question, here, top: self.lattice.top() };
        let mut rules = Vec::new();
        for rule in &self.rules {
            let outcome = places.outcome(rule, ruling)?;
            rules.push(Considered { rule: rule.id.clone(), line: Some(rule.line), kind: rule.kind, outcome });
        }
        let default = RuleId::of_default();
        let decides = ruling.answer == Answer::Deny && ruling.rules.contains(&default);
        let outcome = if decides { RuleOutcome::Decides } else { RuleOutcome::Overruled(first(ruling)) };
        rules.push(Considered { rule: default, line: None, kind: AnswerKind::Deny, outcome });
        Ok(rules)
    }
}

/// The first rule that determines a ruling.
fn first(ruling: &Ruling) -> RuleId {
    ruling.rules.first().cloned().unwrap_or_else(RuleId::of_default)
}

/// A question with the present approvals, and with as many as could make a difference.
struct Places<'a> {
    facts: Facts<'a>,
    question: &'a Question<'a>,
    here: Point,
    top: Point,
}

impl Places<'_> {
    fn outcome(&self, rule: &Rule, ruling: &Ruling) -> Result<RuleOutcome, String> {
        if ruling.rules.contains(&rule.id) {
            return Ok(RuleOutcome::Decides);
        }
        let policy = rule.policy.to_pst().map_err(|error| error.to_string())?;
        let all = policy.body().clone();
        match (self.holds(all.clone(), &self.here)?, self.holds(all.clone(), &self.top)?) {
            (true, true) => Ok(RuleOutcome::Overruled(first(ruling))),
            (false, false) => self.first_mismatch(&all).map(RuleOutcome::Fails),
            _ => Ok(RuleOutcome::Waits),
        }
    }

    /// The first part of a policy that does not fit: its scope, then its conditions in order.
    fn first_mismatch(&self, policy: &Template) -> Result<Mismatch, String> {
        use ActionConstraint as Action;
        use PrincipalConstraint as Principal;
        use ResourceConstraint as Resource;
        // The most favourable point: approvals can only make a permit hold, and a forbid not hold.
        let place = if policy.effect == Effect::Permit { &self.top } else { &self.here };
        let Question { actor, capability, resource, .. } = self.question;
        let scope = [
            (
                "principal",
                policy.principal.to_string(),
                actor.as_str(),
                part(policy.principal.clone(), Action::Any, Resource::Any),
            ),
            (
                "action",
                policy.action.to_string(),
                *capability,
                part(Principal::Any, policy.action.clone(), Resource::Any),
            ),
            (
                "resource",
                policy.resource.to_string(),
                *resource,
                part(Principal::Any, Action::Any, policy.resource.clone()),
            ),
        ];
        for (key, wanted, found, part) in scope {
            if !self.holds(part, place)? {
                return Ok(Mismatch::Matcher { key, wanted, found: Quoted(found).to_string() });
            }
        }
        for clause in policy.clauses() {
            let alone = part(Principal::Any, Action::Any, Resource::Any).try_with_clauses([clause.clone()]);
            if !self.holds(alone.map_err(|error| error.to_string())?, place)? {
                return Ok(Mismatch::Condition(clause.to_string()));
            }
        }
        Err("every part of a policy holds, and the whole does not".to_owned())
    }

    /// Whether a policy by itself, permit or forbid, applies with these approvals.
    fn holds(&self, mut policy: Template, point: &Point) -> Result<bool, String> {
        policy.effect = Effect::Permit;
        let policy = StaticPolicy::try_from(policy).map_err(|error| error.to_string())?;
        let policy =
            cedar_policy::Policy::from_pst(Policy::Static(policy)).map_err(|error| error.to_string())?;
        let alone = PolicySet::from_policies([policy]).map_err(|error| error.to_string())?;
        let request = self.facts.request(point)?;
        let response = Authorizer::new().is_authorized(&request, &alone, &self.facts.entities);
        Ok(response.decision() == Decision::Allow)
    }
}

/// A policy that consists of a scope only.
fn part(principal: PrincipalConstraint, action: ActionConstraint, resource: ResourceConstraint) -> Template {
    Template::new(PolicyID("part".into()), Effect::Permit, principal, action, resource)
}
