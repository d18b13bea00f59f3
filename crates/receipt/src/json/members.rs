//! Strict reading of JSON objects: the members that a shape has, all of them, and no others.

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::str::FromStr;

use crate::json::{Json, Object, clipped};
use crate::timestamp::Timestamp;

/// A document is not of the shape that it has to be of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{member}` {problem}")]
pub struct ShapeError {
    member: String,
    problem: &'static str,
}

impl ShapeError {
    pub(crate) fn new(member: &str, problem: &'static str) -> Self {
        Self { member: clipped(member), problem }
    }
}

/// An object that has every required member, and otherwise optional ones only.
#[derive(Clone, Copy)]
pub(crate) struct Members<'a>(&'a Object);

impl<'a> Members<'a> {
    /// `json`, which is called `name`, as an object with these members.
    pub(crate) fn of(
        name: &str,
        json: &'a Json,
        required: &[&str],
        optional: &[&str],
    ) -> Result<Self, ShapeError> {
        let object = json.as_object().ok_or_else(|| ShapeError::new(name, "is not an object"))?;
        if let Some(missing) = required.iter().find(|member| object.get(member).is_none()) {
            return Err(ShapeError::new(missing, "is missing"));
        }
        for (member, _) in object.iter() {
            if !member.as_str().is_some_and(|member| required.contains(&member) || optional.contains(&member))
            {
                return Err(ShapeError::new(&member.to_string_lossy(), "is not a member that is known here"));
            }
        }
        Ok(Self(object))
    }

    pub(crate) fn get(self, name: &str) -> &'a Json {
        self.0.get(name).unwrap_or(&Json::Null)
    }

    pub(crate) fn has(self, name: &str) -> bool {
        self.0.get(name).is_some()
    }

    pub(crate) fn str(self, name: &str) -> Result<&'a str, ShapeError> {
        self.get(name).as_str().ok_or_else(|| ShapeError::new(name, "is not a string"))
    }

    /// A string of 1 to `longest` bytes.
    pub(crate) fn text(self, name: &str, longest: usize) -> Result<String, ShapeError> {
        let text = self.str(name)?;
        if (1..=longest).contains(&text.len()) {
            return Ok(text.to_owned());
        }
        Err(ShapeError::new(name, if text.is_empty() { "is empty" } else { "is longer than it may be" }))
    }

    /// A string parsed into a type; `problem` is the error's text when it does not parse.
    pub(crate) fn read<T: FromStr>(self, name: &str, problem: &'static str) -> Result<T, ShapeError> {
        self.str(name)?.parse().map_err(|_| ShapeError::new(name, problem))
    }

    /// [`read`](Self::read), for a member that may be null.
    pub(crate) fn read_or_null<T: FromStr>(
        self,
        name: &str,
        problem: &'static str,
    ) -> Result<Option<T>, ShapeError> {
        if *self.get(name) == Json::Null { Ok(None) } else { self.read(name, problem).map(Some) }
    }

    pub(crate) fn array(self, name: &str) -> Result<&'a [Json], ShapeError> {
        self.get(name).as_array().ok_or_else(|| ShapeError::new(name, "is not an array"))
    }

    /// An instant with a year of four digits.
    pub(crate) fn instant(self, name: &str) -> Result<Timestamp, ShapeError> {
        instant(name, self.get(name))
    }

    /// [`instant`](Self::instant), for a member that may be absent.
    pub(crate) fn instant_or_absent(self, name: &str) -> Result<Option<Timestamp>, ShapeError> {
        if self.has(name) { self.instant(name).map(Some) } else { Ok(None) }
    }
}

/// An instant with a year of four digits.
pub(crate) fn instant(name: &str, json: &Json) -> Result<Timestamp, ShapeError> {
    let text = json.as_str().ok_or_else(|| ShapeError::new(name, "is not a string"))?;
    let instant = if text.len() == 24 { text.parse().ok() } else { None };
    instant.ok_or_else(|| ShapeError::new(name, "is not an instant `YYYY-MM-DDTHH:mm:ss.sssZ`"))
}
