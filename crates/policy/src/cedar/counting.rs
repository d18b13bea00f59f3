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
enum Course {
    /// Not at all: no approvals occur in it.
    Still,
    /// It may become true.
    Rising,
    /// It may become false.
    Falling,
}

impl Course {
    fn turned(self) -> Self {
        match self {
            Self::Still => Self::Still,
            Self::Rising => Self::Falling,
            Self::Falling => Self::Rising,
        }
    }

    fn with(self, other: Self) -> Result<Self, Refused> {
        match (self, other) {
            (Self::Still, course) | (course, Self::Still) => Ok(course),
            (one, other) if one == other => Ok(one),
            _ => Err(Refused::Direction),
        }
    }
}

/// Why a condition is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error(
        "an approval more may only help: a permit asks for approvals with >= or >, and a forbid holds while there are < or <= so many"
    )]
    Direction,
    #[error(
        "context.approvals.ROLE is compared with a whole number by >=, >, < or <=, and used in no other way"
    )]
    Use,
    #[error("approvals are compared with {0}: a number that makes a difference is from 1 to {most}", most = Ask::MOST)]
    Threshold(i64),
    #[error("{0}")]
    Role(#[from] crate::InvalidName),
    #[error("attributes are read of principal, resource and context, and of nothing else")]
    Attribute,
    #[error(transparent)]
    Environment(#[from] vocabulary::Unknown),
    #[error("`in` has principal, action or resource on its left, and nothing else")]
    Within,
    #[error("{0} is not available: what it does could fail when the policy is asked")]
    Unavailable(String),
}

/// Checks a policy's conditions, and collects the numbers of approvals that they compare with. Returns the nesting
/// depth.
pub(super) fn read(policy: &Template, thresholds: &mut Thresholds) -> Result<usize, Refused> {
    let mut reader = Reader { thresholds, deepest: 0 };
    for clause in policy.clauses() {
        let (course, helps) = match (clause, policy.effect) {
            (Clause::When(condition), Effect::Permit) | (Clause::Unless(condition), Effect::Forbid) => {
                (reader.course(condition, 0)?, Course::Rising)
            }
            (Clause::Unless(condition), Effect::Permit) | (Clause::When(condition), Effect::Forbid) => {
                (reader.course(condition, 0)?, Course::Falling)
            }
        };
        if course != Course::Still && course != helps {
            return Err(Refused::Direction);
        }
    }
    Ok(reader.deepest)
}

struct Reader<'a> {
    thresholds: &'a mut Thresholds,
    deepest: usize,
}

impl Reader<'_> {
    fn course(&mut self, expr: &Expr, depth: usize) -> Result<Course, Refused> {
        let depth = depth + 1;
        self.deepest = self.deepest.max(depth);
        match expr {
            Expr::Literal(_) | Expr::Var(Var::Principal | Var::Action | Var::Resource) => Ok(Course::Still),
            Expr::Var(Var::Context) => Err(Refused::Use),
            Expr::UnaryOp { op, expr } => self.unary(*op, expr, depth),
            Expr::BinaryOp { op, left, right } => self.binary(*op, left, right, depth),
            Expr::GetAttr { expr, attr } => attribute(expr, attr),
            Expr::HasAttr { expr, attrs } => attribute(expr, attrs.first()),
            Expr::Like { expr, pattern } => {
                vocabulary::check_like(expr, pattern)?;
                self.still([expr.as_ref()], depth)
            }
            Expr::Is { expr, in_expr, .. } => {
                if in_expr.is_some() {
                    check_within(expr)?;
                }
                self.still([expr.as_ref()].into_iter().chain(in_expr.as_deref()), depth)
            }
            Expr::IfThenElse { cond, then_expr, else_expr } => {
                self.still([cond.as_ref()], depth)?;
                self.course(then_expr, depth)?.with(self.course(else_expr, depth)?)
            }
            Expr::Set(elements) => self.still(elements.iter().map(AsRef::as_ref), depth),
            other => Err(Refused::Unavailable(format!("`{other}`"))),
        }
    }

    /// Parts that may have no approvals inside.
    fn still<'e>(
        &mut self,
        parts: impl IntoIterator<Item = &'e Expr>,
        depth: usize,
    ) -> Result<Course, Refused> {
        for part in parts {
            if self.course(part, depth)? != Course::Still {
                return Err(Refused::Use);
            }
        }
        Ok(Course::Still)
    }

    fn unary(&mut self, op: UnaryOp, expr: &Expr, depth: usize) -> Result<Course, Refused> {
        match (op, expr) {
            (UnaryOp::Not, _) => Ok(self.course(expr, depth)?.turned()),
            (UnaryOp::IsEmpty, _) => self.still([expr], depth),
            (UnaryOp::Neg, Expr::Literal(Literal::Long(number))) if *number >= 0 => Ok(Course::Still),
            _ => Err(Refused::Unavailable(format!("`{op}`"))),
        }
    }

    fn binary(&mut self, op: BinaryOp, left: &Expr, right: &Expr, depth: usize) -> Result<Course, Refused> {
        match op {
            BinaryOp::And | BinaryOp::Or => self.course(left, depth)?.with(self.course(right, depth)?),
            BinaryOp::Less | BinaryOp::LessEq | BinaryOp::Greater | BinaryOp::GreaterEq => {
                match (left, right) {
                    (count, Expr::Literal(Literal::Long(number))) if is_count(count) => {
                        self.compared(count, op, *number)
                    }
                    (Expr::Literal(Literal::Long(number)), count) if is_count(count) => {
                        self.compared(count, mirrored(op), *number)
                    }
                    _ => self.still([left, right], depth),
                }
            }
            BinaryOp::In => {
                check_within(left)?;
                self.still([left, right], depth)
            }
            BinaryOp::Eq
            | BinaryOp::NotEq
            | BinaryOp::Contains
            | BinaryOp::ContainsAll
            | BinaryOp::ContainsAny => {
                vocabulary::check_compared(left, right)?;
                self.still([left, right], depth)
            }
            _ => Err(Refused::Unavailable(format!("`{op}`"))),
        }
    }

    /// A count of approvals, compared with a number: notes from which count on it makes a difference.
    fn compared(&mut self, count: &Expr, op: BinaryOp, number: i64) -> Result<Course, Refused> {
        let Expr::GetAttr { attr, .. } = count else { return Err(Refused::Use) };
        let (threshold, course) = match op {
            BinaryOp::GreaterEq => (Some(number), Course::Rising),
            BinaryOp::Greater => (number.checked_add(1), Course::Rising),
            BinaryOp::Less => (Some(number), Course::Falling),
            _ => (number.checked_add(1), Course::Falling),
        };
        let threshold = threshold.and_then(|threshold| u32::try_from(threshold).ok());
        let threshold = threshold.filter(|threshold| (1..=Ask::MOST).contains(threshold));
        let role = if attr == ANYONE { None } else { Some(crate::grammar::name::role(attr)?) };
        self.thresholds.entry(role).or_default().insert(threshold.ok_or(Refused::Threshold(number))?);
        Ok(course)
    }
}

/// Stands in place of a role where any decider counts.
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

/// The attribute of a variable, other than the approvals.
fn attribute(of: &Expr, name: &str) -> Result<Course, Refused> {
    match of {
        Expr::Var(Var::Context) if name == APPROVALS => Err(Refused::Use),
        Expr::Var(_) => Ok(Course::Still),
        Expr::GetAttr { expr, attr } if is_context(expr) && attr == APPROVALS => Err(Refused::Use),
        _ => Err(Refused::Attribute),
    }
}

/// The left side of `in`. The schema says what every action is in, and a question only what the asked one is in.
fn check_within(left: &Expr) -> Result<(), Refused> {
    match left {
        Expr::Var(Var::Principal | Var::Action | Var::Resource) => Ok(()),
        _ => Err(Refused::Within),
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
