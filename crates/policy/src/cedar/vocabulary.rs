//! Checks that the environments that a policy names exist: a misspelled environment would give a `forbid` that never
//! applies.
//!
//! Cedar's schema has no closed set of texts, so the literals that can meet `context.environment` in a comparison are
//! checked here.

use crate::{Environment, UnknownEnvironment};
use cedar_policy::pst::{Expr, Literal, PatternElem, Var};

/// Checks the two sides of a comparison. If the environment can be on either side, each text on either side must be an
/// environment.
pub(super) fn check_compared(left: &Expr, right: &Expr) -> Result<(), Unknown> {
    let mut values = Values::default();
    values.add(left);
    values.add(right);
    match values.texts.into_iter().find(|text| values.environment && text.parse::<Environment>().is_err()) {
        Some(text) => Err(Unknown::new(format!("{text:?}"))),
        None => Ok(()),
    }
}

/// Checks that a pattern that is compared with the environment can match an environment.
pub(super) fn check_like(expr: &Expr, pattern: &[PatternElem]) -> Result<(), Unknown> {
    let mut values = Values::default();
    values.add(expr);
    let fits = |environment: Environment| is_like(environment.as_str(), pattern);
    match !values.environment || Environment::ALL.into_iter().any(fits) {
        true => Ok(()),
        false => Err(Unknown::new(format!("like {:?}", spelled(pattern)))),
    }
}

/// A text that no environment is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("context.environment is compared with {text}, and {reason}")]
pub(super) struct Unknown {
    text: String,
    reason: UnknownEnvironment,
}

impl Unknown {
    fn new(text: String) -> Self {
        Self { text, reason: UnknownEnvironment }
    }
}

/// The values that an expression, or an element of it, can have.
#[derive(Default)]
struct Values<'a> {
    environment: bool,
    texts: Vec<&'a str>,
}

impl<'a> Values<'a> {
    fn add(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Literal(Literal::String(text)) => self.texts.push(text.as_str()),
            Expr::GetAttr { expr, attr } if attr == "environment" => {
                self.environment |= matches!(expr.as_ref(), Expr::Var(Var::Context));
            }
            Expr::Set(elements) => elements.iter().for_each(|element| self.add(element)),
            Expr::IfThenElse { then_expr, else_expr, .. } => {
                self.add(then_expr);
                self.add(else_expr);
            }
            // The values of all others are no texts.
            _ => {}
        }
    }
}

/// Whether a text is of a pattern. Linear in the pattern, which may be long.
fn is_like(text: &str, pattern: &[PatternElem]) -> bool {
    let text: Vec<char> = text.chars().collect();
    // Whether the elements so far match the first 0, 1, 2, … characters.
    let mut matched = vec![true];
    matched.resize(text.len() + 1, false);
    for element in pattern {
        match element {
            PatternElem::Wildcard => {
                let mut any = false;
                matched.iter_mut().for_each(|place| {
                    any |= *place;
                    *place = any;
                });
            }
            PatternElem::Char(wanted) => {
                let next = text.iter().zip(&matched).map(|(found, before)| *before && found == wanted);
                matched = std::iter::once(false).chain(next).collect();
            }
        }
    }
    matched.last() == Some(&true)
}

fn spelled(pattern: &[PatternElem]) -> String {
    let spelled = pattern.iter().map(|element| match element {
        PatternElem::Char(character) => *character,
        PatternElem::Wildcard => '*',
    });
    spelled.collect()
}
