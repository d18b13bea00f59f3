//! The conditions that a policy may have, on approvals and on everything else.
//!
//! An additional approval must never take away what was allowed. So a `permit` may only have conditions that more
//! approvals can make true, and a `forbid` only conditions that they can make false. The text shows it: a count of
//! approvals occurs only in a comparison with a whole number, and every other operator keeps the direction, reverses
//! it, or has no approvals inside.
//!
//! Operations that can fail during evaluation are also refused: sums that overflow, attributes of missing entities. A
//! policy that passes here and Cedar's validator has an answer to every question.

use super::vocabulary;
use crate::{Ask, Role};
use cedar_policy::pst::{BinaryOp, Clause, Effect, Expr, Literal, Template, UnaryOp, Var};
use std::collections::{BTreeMap, BTreeSet};

/// The numbers of people that the policies compare with, for each role; the role `None` counts any decider.
pub(super) type Thresholds = BTreeMap<Option<Role>, BTreeSet<u32>>;

/// How a condition's value can change when approvals are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Monotonicity {
    /// No change: the condition has no approvals.
    Constant,
    /// More approvals can make the condition true.
    Increasing,
    /// More approvals can make the condition false.
    Decreasing,
}

impl Monotonicity {
    fn negated(self) -> Self {
        match self {
            Self::Constant => Self::Constant,
            Self::Increasing => Self::Decreasing,
            Self::Decreasing => Self::Increasing,
        }
    }

    fn combined(self, other: Self) -> Result<Self, ConditionError> {
        match (self, other) {
            (Self::Constant, monotonicity) | (monotonicity, Self::Constant) => Ok(monotonicity),
            (one, other) if one == other => Ok(one),
            _ => Err(ConditionError::Direction),
        }
    }
}

/// Why a condition is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ConditionError {
    #[error(
        "an additional approval must never withdraw permission: compare approvals with >= or > in a permit, and with < or <= in a forbid"
    )]
    Direction,
    #[error("context.approvals.ROLE can only be compared with a whole number, by >=, >, < or <=")]
    Use,
    #[error("approvals are compared with {0}: only a number from 1 to {most} makes a difference", most = Ask::MOST)]
    Threshold(i64),
    #[error("{0}")]
    Role(#[from] crate::InvalidName),
    #[error("only principal, resource and context have attributes")]
    Attribute,
    #[error(transparent)]
    Environment(#[from] vocabulary::Unknown),
    #[error("`in` has principal, action or resource on its left, and nothing else")]
    Within,
    #[error("{0} is not available: it could fail when the policy is evaluated")]
    Unavailable(String),
}

/// Checks a policy's conditions, and collects the numbers of approvals that they compare with. Returns the nesting
/// depth.
pub(super) fn read(policy: &Template, thresholds: &mut Thresholds) -> Result<usize, ConditionError> {
    let mut reader = Reader { thresholds, deepest: 0 };
    for clause in policy.clauses() {
        let (monotonicity, helps) = match (clause, policy.effect) {
            (Clause::When(condition), Effect::Permit) | (Clause::Unless(condition), Effect::Forbid) => {
                (reader.monotonicity(condition, 0)?, Monotonicity::Increasing)
            }
            (Clause::Unless(condition), Effect::Permit) | (Clause::When(condition), Effect::Forbid) => {
                (reader.monotonicity(condition, 0)?, Monotonicity::Decreasing)
            }
        };
        if monotonicity != Monotonicity::Constant && monotonicity != helps {
            return Err(ConditionError::Direction);
        }
    }
    Ok(reader.deepest)
}

struct Reader<'a> {
    thresholds: &'a mut Thresholds,
    deepest: usize,
}

impl Reader<'_> {
    fn monotonicity(&mut self, expr: &Expr, depth: usize) -> Result<Monotonicity, ConditionError> {
        let depth = depth + 1;
        self.deepest = self.deepest.max(depth);
        match expr {
            Expr::Literal(_) | Expr::Var(Var::Principal | Var::Action | Var::Resource) => {
                Ok(Monotonicity::Constant)
            }
            Expr::Var(Var::Context) => Err(ConditionError::Use),
            Expr::UnaryOp { op, expr } => self.unary(*op, expr, depth),
            Expr::BinaryOp { op, left, right } => self.binary(*op, left, right, depth),
            Expr::GetAttr { expr, attr } => attribute(expr, attr),
            Expr::HasAttr { expr, attrs } => attribute(expr, attrs.first()),
            Expr::Like { expr, pattern } => {
                vocabulary::check_like(expr, pattern)?;
                self.constant([expr.as_ref()], depth)
            }
            Expr::Is { expr, in_expr, .. } => {
                if in_expr.is_some() {
                    check_within(expr)?;
                }
                self.constant([expr.as_ref()].into_iter().chain(in_expr.as_deref()), depth)
            }
            Expr::IfThenElse { cond, then_expr, else_expr } => {
                self.constant([cond.as_ref()], depth)?;
                self.monotonicity(then_expr, depth)?.combined(self.monotonicity(else_expr, depth)?)
            }
            Expr::Set(elements) => self.constant(elements.iter().map(AsRef::as_ref), depth),
            other => Err(ConditionError::Unavailable(format!("`{other}`"))),
        }
    }

    /// Parts that may have no approvals inside.
    fn constant<'e>(
        &mut self,
        parts: impl IntoIterator<Item = &'e Expr>,
        depth: usize,
    ) -> Result<Monotonicity, ConditionError> {
        for part in parts {
            if self.monotonicity(part, depth)? != Monotonicity::Constant {
                return Err(ConditionError::Use);
            }
        }
        Ok(Monotonicity::Constant)
    }

    fn unary(&mut self, op: UnaryOp, expr: &Expr, depth: usize) -> Result<Monotonicity, ConditionError> {
        match (op, expr) {
            (UnaryOp::Not, _) => Ok(self.monotonicity(expr, depth)?.negated()),
            (UnaryOp::IsEmpty, _) => self.constant([expr], depth),
            (UnaryOp::Neg, Expr::Literal(Literal::Long(number))) if *number >= 0 => {
                Ok(Monotonicity::Constant)
            }
            _ => Err(ConditionError::Unavailable(format!("`{op}`"))),
        }
    }

    fn binary(
        &mut self,
        op: BinaryOp,
        left: &Expr,
        right: &Expr,
        depth: usize,
    ) -> Result<Monotonicity, ConditionError> {
        match op {
            BinaryOp::And | BinaryOp::Or => {
                self.monotonicity(left, depth)?.combined(self.monotonicity(right, depth)?)
            }
            BinaryOp::Less | BinaryOp::LessEq | BinaryOp::Greater | BinaryOp::GreaterEq => {
                match (left, right) {
                    (count, Expr::Literal(Literal::Long(number))) if is_count(count) => {
                        self.compared(count, op, *number)
                    }
                    (Expr::Literal(Literal::Long(number)), count) if is_count(count) => {
                        self.compared(count, mirrored(op), *number)
                    }
                    _ => self.constant([left, right], depth),
                }
            }
            BinaryOp::In => {
                check_within(left)?;
                self.constant([left, right], depth)
            }
            BinaryOp::Eq
            | BinaryOp::NotEq
            | BinaryOp::Contains
            | BinaryOp::ContainsAll
            | BinaryOp::ContainsAny => {
                vocabulary::check_compared(left, right)?;
                self.constant([left, right], depth)
            }
            _ => Err(ConditionError::Unavailable(format!("`{op}`"))),
        }
    }

    /// A count of approvals, compared with a number: notes from which count on it makes a difference.
    fn compared(&mut self, count: &Expr, op: BinaryOp, number: i64) -> Result<Monotonicity, ConditionError> {
        let Expr::GetAttr { attr, .. } = count else { return Err(ConditionError::Use) };
        let (threshold, monotonicity) = match op {
            BinaryOp::GreaterEq => (Some(number), Monotonicity::Increasing),
            BinaryOp::Greater => (number.checked_add(1), Monotonicity::Increasing),
            BinaryOp::Less => (Some(number), Monotonicity::Decreasing),
            _ => (number.checked_add(1), Monotonicity::Decreasing),
        };
        let threshold = threshold.and_then(|threshold| u32::try_from(threshold).ok());
        let threshold = threshold.filter(|threshold| (1..=Ask::MOST).contains(threshold));
        let role = if attr == ANYONE { None } else { Some(crate::grammar::name::role(attr)?) };
        self.thresholds.entry(role).or_default().insert(threshold.ok_or(ConditionError::Threshold(number))?);
        Ok(monotonicity)
    }
}

/// Stands in place of a role if any decider counts.
pub(super) const ANYONE: &str = "anyone";

/// The name of the approvals in the context.
pub(super) const APPROVALS: &str = "approvals";

/// `context.approvals.ROLE`.
fn is_count(expr: &Expr) -> bool {
    let Expr::GetAttr { expr, .. } = expr else { return false };
    matches!(expr.as_ref(), Expr::GetAttr { expr, attr } if is_context(expr) && attr == APPROVALS)
}

fn is_context(expr: &Expr) -> bool {
    matches!(expr, Expr::Var(Var::Context))
}

/// The attribute of a variable, except the approvals.
fn attribute(of: &Expr, name: &str) -> Result<Monotonicity, ConditionError> {
    match of {
        Expr::Var(Var::Context) if name == APPROVALS => Err(ConditionError::Use),
        Expr::Var(_) => Ok(Monotonicity::Constant),
        Expr::GetAttr { expr, attr } if is_context(expr) && attr == APPROVALS => Err(ConditionError::Use),
        _ => Err(ConditionError::Attribute),
    }
}

/// Checks the left side of `in`. The schema states the ancestors of every action, but a question only those of the
/// asked action.
fn check_within(left: &Expr) -> Result<(), ConditionError> {
    match left {
        Expr::Var(Var::Principal | Var::Action | Var::Resource) => Ok(()),
        _ => Err(ConditionError::Within),
    }
}

fn mirrored(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Less => BinaryOp::Greater,
        BinaryOp::LessEq => BinaryOp::GreaterEq,
        BinaryOp::Greater => BinaryOp::Less,
        BinaryOp::GreaterEq => BinaryOp::LessEq,
        other => other,
    }
}
