//! The JSON schema of a body's type.

use serde_json::Value;
use utoipa::ToSchema;

/// A schema and its name.
pub(crate) struct Shape {
    pub(crate) name: String,
    pub(crate) schema: Value,
    /// The schemas that it refers to.
    pub(crate) parts: Vec<(String, Value)>,
}

/// The shape of a type.
pub(crate) fn shape<T: ToSchema>() -> Shape {
    let mut parts = Vec::new();
    T::schemas(&mut parts);
    let value = |schema: &dyn erased::Schema| schema.value();
    Shape {
        name: T::name().into_owned(),
        schema: value(&T::schema()),
        parts: parts.into_iter().map(|(name, schema)| (name, value(&schema))).collect(),
    }
}

mod erased {
    use serde::Serialize;
    use serde_json::Value;

    pub(super) trait Schema {
        fn value(&self) -> Value;
    }

    impl<S: Serialize> Schema for S {
        fn value(&self) -> Value {
            serde_json::to_value(self).unwrap_or_default()
        }
    }
}
