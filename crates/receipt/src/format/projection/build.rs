//! The build rule: from a request to its projection.

use alloc::string::String;
use alloc::vec::Vec;

use super::allowlist::Field;
use super::{Projection, is_public, tagged};
use crate::json::{Json, Object};

/// The projection of `request` under `tag`, as canonical text; `None` when the request is not an object.
pub(crate) fn build(tag: Projection, request: &Json) -> Option<String> {
    let rule = BuildRule { tag, public: is_public(request) };
    Some(tagged(rule.object(tag.allowlist(), 0, request.as_object()?), tag))
}

struct BuildRule {
    tag: Projection,
    public: bool,
}

impl BuildRule {
    /// Copies what `fields` list of `source`. All of `fields` lead to `source` by their first `depth` segments.
    fn object(&self, fields: &[Field], depth: usize, source: &Object) -> Object {
        fields
            .chunk_by(|a, b| a.path[depth] == b.path[depth])
            .filter_map(|run| {
                let copy = self.member(run, depth, source.get(run[0].key(depth))?)?;
                Some((run[0].key(depth).into(), copy))
            })
            .collect()
    }

    /// The published copy of one member; `None` if no part of the member is published.
    fn member(&self, run: &[Field], depth: usize, value: &Json) -> Option<Json> {
        let field = &run[0];
        if field.is_leaf(depth) {
            let shown = self.public || self.tag.confidential(field).is_none();
            return (shown && field.slot.admits(value)).then(|| value.clone());
        }
        if field.is_each(depth) {
            // Elements with nothing published keep their places, unless that is true of all of them.
            let element = |json: &Json| json.as_object().map(|object| self.object(run, depth + 1, object));
            let elements: Vec<_> =
                value.as_array()?.iter().map(|json| element(json).unwrap_or_default()).collect();
            let any = elements.iter().any(|element| !element.is_empty());
            return any.then(|| Json::array(elements));
        }
        let object = self.object(run, depth + 1, value.as_object()?);
        (!object.is_empty()).then(|| object.into())
    }
}
