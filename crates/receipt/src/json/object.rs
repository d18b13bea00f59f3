//! An object: members sorted by key, each key once.

use alloc::vec::Vec;

use super::{Json, Text};

/// The members of a JSON object, sorted by UTF-16 code unit.
// INVARIANT: strictly ascending by key. Every constructor below keeps it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object(Vec<(Text, Json)>);

impl Object {
    /// An object without members.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Members in the order they were read. The error is a key that occurs twice.
    pub(super) fn from_members(mut members: Vec<(Text, Json)>) -> Result<Self, Text> {
        // Canonical text is sorted already, so this check is all that runs for it.
        if !members.is_sorted_by(|a, b| a.0 < b.0) {
            members.sort_by(|a, b| a.0.cmp(&b.0));
            if let Some(pair) = members.windows(2).find(|pair| pair[0].0 == pair[1].0) {
                return Err(pair[0].0.clone());
            }
        }
        Ok(Self(members))
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&Json> {
        // Objects are small and most names differ in length: looking at each is faster than comparing in order.
        self.0.iter().find(|(name, _)| name.as_str() == Some(key)).map(|(_, value)| value)
    }

    /// Sets `key`, and returns its previous value.
    pub fn insert(&mut self, key: impl Into<Text>, value: impl Into<Json>) -> Option<Json> {
        let (key, value) = (key.into(), value.into());
        match self.0.binary_search_by(|(name, _)| name.cmp(&key)) {
            Ok(index) => Some(core::mem::replace(&mut self.0[index].1, value)),
            Err(index) => {
                self.0.insert(index, (key, value));
                None
            }
        }
    }

    /// The members in canonical order.
    pub fn iter(&self) -> impl Iterator<Item = (&Text, &Json)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// The number of members.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(Text, Json)> for Object {
    fn from_iter<I: IntoIterator<Item = (Text, Json)>>(members: I) -> Self {
        let mut object = Self::new();
        for (key, value) in members {
            object.insert(key, value);
        }
        object
    }
}
