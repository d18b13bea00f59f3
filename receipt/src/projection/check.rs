//! The check that anybody can run: could the build rule have produced this projection?

use alloc::format;
use alloc::string::String;

use super::allowlist::{Field, Slot};
use super::{Projection, TAG_KEY, is_public};
use crate::error::{Reason, VerifyError, malformed};
use crate::json::{Json, Object};

/// Checks a signed projection text and hands back its tag and content.
pub(crate) fn check(text: &str) -> Result<(Projection, Json), VerifyError> {
    let (tag, projection) = read(text)?;
    if projection.canonical() != text {
        return Err(VerifyError::ProjectionNotAllowed("publicProjectionJson is not canonical".into()));
    }
    let allowed = Allowed { tag, public: is_public(&projection) };
    if let Some(facts) = projection.as_object() {
        allowed.members(tag.allowlist(), 0, facts, "").map_err(VerifyError::ProjectionNotAllowed)?;
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

impl Allowed {
    /// Every member of `object` must lie on one of `fields`, all of which lead to `object` by their first `depth`
    /// segments.
    fn members(&self, fields: &[Field], depth: usize, object: &Object, at: &str) -> Result<(), Reason> {
        for (key, value) in object.iter() {
            if depth == 0 && key.as_str() == Some(TAG_KEY) {
                continue;
            }
            let mut runs = fields.chunk_by(|a, b| a.path[depth] == b.path[depth]);
            match runs.find(|run| key.as_str() == Some(run[0].key(depth))) {
                Some(run) => self.member(run, depth, value, at)?,
                None => {
                    return Err(
                        format!("{} is not in the allowlist", join(at, &key.to_string_lossy())).into()
                    );
                }
            }
        }
        Ok(())
    }

    fn member(&self, run: &[Field], depth: usize, value: &Json, at: &str) -> Result<(), Reason> {
        let field = &run[0];
        let path = || join(at, field.key(depth));
        if field.is_leaf(depth) {
            return self.leaf(field, value, path);
        }
        if field.is_each(depth) {
            return self.elements(run, depth, value, &path());
        }
        match value.as_object() {
            Some(object) if object.is_empty() => Err(format!("{} is empty", path()).into()),
            Some(object) => self.members(run, depth + 1, object, &path()),
            None => Err(format!("{} must be an object", path()).into()),
        }
    }

    fn elements(&self, run: &[Field], depth: usize, value: &Json, at: &str) -> Result<(), Reason> {
        let elements = value.as_array().unwrap_or_default();
        for (index, element) in elements.iter().enumerate() {
            let path = format!("{at}[{index}]");
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

    fn leaf(&self, field: &Field, value: &Json, path: impl Fn() -> String) -> Result<(), Reason> {
        if let Some(identity) = self.tag.confidential(field).filter(|_| !self.public) {
            return Err(format!("{} is {identity} and scope.visibility is not \"public\"", path()).into());
        }
        if field.slot.admits(value) {
            return Ok(());
        }
        Err(match field.slot {
            Slot::Identifier => format!("{} is not an identifier", path()).into(),
            Slot::OneOf(words) => format!("{} is not one of {}", path(), words.join(", ")).into(),
            Slot::Value => format!("{} is neither a scalar nor an array of scalars", path()).into(),
        })
    }
}

fn join(at: &str, key: &str) -> String {
    if at.is_empty() { key.into() } else { format!("{at}.{key}") }
}
