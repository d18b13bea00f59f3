//! The check that needs no secret: could the build rule have produced this projection?

use alloc::format;
use core::fmt;

use super::allowlist::{Field, Slot};
use super::{Projection, TAG_KEY, is_public};
use crate::error::{Reason, VerifyError, malformed};
use crate::json::{Json, Object, Text};

/// Checks a signed projection text and returns its tag and content.
pub(crate) fn check(text: &str) -> Result<(Projection, Json), VerifyError> {
    let (tag, projection) = read(text)?;
    if !projection.is_canonical(text) {
        return Err(VerifyError::ProjectionNotAllowed("publicProjectionJson is not canonical".into()));
    }
    let allowed = Allowed { tag, public: is_public(&projection) };
    if let Some(facts) = projection.as_object() {
        allowed.members(tag.allowlist(), 0, facts, &Path::Root).map_err(VerifyError::ProjectionNotAllowed)?;
    }
    Ok((tag, projection))
}

/// Reads a projection text as far as its tag.
pub(crate) fn read(text: &str) -> Result<(Projection, Json), VerifyError> {
    let projection =
        Json::parse(text).map_err(|error| malformed(format!("publicProjectionJson: {error}")))?;
    let tag = projection.get(TAG_KEY).and_then(Json::as_str);
    let tag = tag.ok_or_else(|| malformed("publicProjectionJson is not an object that names its tag"))?;
    match Projection::from_signed(tag) {
        Some(tag) => Ok((tag, projection)),
        None => Err(VerifyError::ProjectionUnsupported(tag.into())),
    }
}

struct Allowed {
    tag: Projection,
    public: bool,
}

/// The position of the walk. Formatted only for an error.
#[derive(Clone, Copy)]
enum Path<'a> {
    Root,
    Key(&'a Path<'a>, &'a Text),
    Element(&'a Path<'a>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Key(Self::Root, key) => f.write_str(&key.to_string_lossy()),
            Self::Key(parent, key) => write!(f, "{parent}.{}", key.to_string_lossy()),
            Self::Element(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

impl Allowed {
    /// Checks that every member of `object` lies on one of `fields`. The first `depth` segments of each field lead to
    /// `object`.
    fn members(&self, fields: &[Field], depth: usize, object: &Object, at: &Path<'_>) -> Result<(), Reason> {
        for (key, value) in object.iter() {
            let name = key.as_str();
            if depth == 0 && name == Some(TAG_KEY) {
                continue;
            }
            let path = Path::Key(at, key);
            let is_listed = |field: &Field| name == Some(field.key(depth));
            let Some(start) = fields.iter().position(is_listed) else {
                return Err(format!("{path} is not in the allowlist").into());
            };
            // Paths with a common prefix are adjacent.
            let run = &fields[start..];
            let len = run.iter().position(|field| !is_listed(field)).unwrap_or(run.len());
            self.member(&run[..len], depth, value, &path)?;
        }
        Ok(())
    }

    fn member(&self, run: &[Field], depth: usize, value: &Json, at: &Path<'_>) -> Result<(), Reason> {
        let field = &run[0];
        if field.is_leaf(depth) {
            return self.leaf(field, value, at);
        }
        if field.is_each(depth) {
            return self.elements(run, depth, value, at);
        }
        match value.as_object() {
            Some(object) if object.is_empty() => Err(format!("{at} is empty").into()),
            Some(object) => self.members(run, depth + 1, object, at),
            None => Err(format!("{at} must be an object").into()),
        }
    }

    fn elements(&self, run: &[Field], depth: usize, value: &Json, at: &Path<'_>) -> Result<(), Reason> {
        let elements = value.as_array().unwrap_or_default();
        for (index, element) in elements.iter().enumerate() {
            let path = Path::Element(at, index);
            match element.as_object() {
                Some(object) => self.members(run, depth + 1, object, &path)?,
                None => return Err(format!("{path} must be an object").into()),
            }
        }
        // Empty elements keep the places of the others; alone they are never written.
        if elements.iter().all(|element| element.as_object().is_some_and(Object::is_empty)) {
            return Err(format!("{at} must be an array with at least one element that is not empty").into());
        }
        Ok(())
    }

    fn leaf(&self, field: &Field, value: &Json, at: &Path<'_>) -> Result<(), Reason> {
        if let Some(identity) = self.tag.confidential(field).filter(|_| !self.public) {
            return Err(format!("{at} is {identity} and scope.visibility is not \"public\"").into());
        }
        if field.slot.admits(value) {
            return Ok(());
        }
        Err(match field.slot {
            Slot::Identifier => format!("{at} is not an identifier").into(),
            Slot::OneOf(words) => format!("{at} is not one of {}", words.join(", ")).into(),
            Slot::Value => format!("{at} is neither a scalar nor an array of scalars").into(),
        })
    }
}
