//! The members of a committed request that only minting adds, and the digest that leaves them out.

use crate::digest::Digest;
use crate::json::{Json, Object};

/// The reserved key that carries the committed summary.
pub(crate) const SUMMARY_KEY: &str = "receiptSummary";
/// The reserved key that carries the committed binding.
pub(crate) const BINDING_KEY: &str = "receiptBinding";
/// The reserved key that carries people's decisions.
pub(crate) const APPROVALS_KEY: &str = "approvals";

/// The digest of a request that people sign: of its canonical text, without the members that only minting adds.
///
/// It is the same before and after minting.
pub fn request_digest(request: &Json) -> Digest {
    let text = match request.as_object() {
        Some(object) => object
            .iter()
            .filter(|(key, _)| !is_added(key.as_str()))
            .fold(Object::new(), |mut kept, (key, value)| {
                kept.insert(key.clone(), value.clone());
                kept
            })
            .canonical(),
        None => request.canonical(),
    };
    Digest::of(text.as_bytes())
}

fn is_added(key: Option<&str>) -> bool {
    key.is_some_and(|key| [APPROVALS_KEY, BINDING_KEY, SUMMARY_KEY].contains(&key))
}
