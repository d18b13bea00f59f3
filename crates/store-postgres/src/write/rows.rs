//! The rows that a transaction has locked and read. Writes change them in memory one after another; they are written back together.

use std::collections::HashMap;
use std::hash::Hash;

#[derive(Debug, Clone)]
struct Row<V> {
    value: V,
    is_changed: bool,
    is_new: bool,
}

/// Rows of one table. The changes of a refused write can be reverted alone.
#[derive(Debug)]
pub(crate) struct Rows<K, V> {
    rows: HashMap<K, Row<V>>,
    /// The previous values of the rows that the current write has changed.
    before: Vec<(K, Option<Row<V>>)>,
}

impl<K, V> Default for Rows<K, V> {
    fn default() -> Self {
        Self { rows: HashMap::new(), before: Vec::new() }
    }
}

impl<K: Clone + Eq + Hash + Ord, V: Clone> Rows<K, V> {
    /// Adds a row that was read from the database.
    pub(crate) fn read(&mut self, key: K, value: V) {
        self.rows.insert(key, Row { value, is_changed: false, is_new: false });
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.rows.get(key).map(|row| &row.value)
    }

    /// Changes or adds a row.
    pub(crate) fn set(&mut self, key: K, value: V) {
        let is_new = self.rows.get(&key).is_none_or(|row| row.is_new);
        let before = self.rows.insert(key.clone(), Row { value, is_changed: true, is_new });
        self.before.push((key, before));
    }

    /// Keeps the current write's changes.
    pub(crate) fn keep(&mut self) {
        self.before.clear();
    }

    /// Undoes the current write's changes.
    pub(crate) fn take_back(&mut self) {
        while let Some((key, before)) = self.before.pop() {
            match before {
                Some(row) => drop(self.rows.insert(key, row)),
                None => drop(self.rows.remove(&key)),
            }
        }
    }

    /// The new rows, in the order of their keys.
    pub(crate) fn made(&self) -> Vec<(&K, &V)> {
        self.sorted(|row| row.is_new)
    }

    /// The changed rows that the database has already.
    pub(crate) fn altered(&self) -> Vec<(&K, &V)> {
        self.sorted(|row| row.is_changed && !row.is_new)
    }

    /// New and changed rows.
    pub(crate) fn changed(&self) -> Vec<(&K, &V)> {
        self.sorted(|row| row.is_changed)
    }

    /// Every row.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.rows.iter().map(|(key, row)| (key, &row.value))
    }

    fn sorted(&self, is_meant: impl Fn(&Row<V>) -> bool) -> Vec<(&K, &V)> {
        let mut found: Vec<_> =
            self.rows.iter().filter(|(_, row)| is_meant(row)).map(|(key, row)| (key, &row.value)).collect();
        found.sort_by_key(|(key, _)| *key);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_write_is_taken_back_alone() {
        let mut rows = Rows::default();
        rows.read("a", 1);
        rows.set("a", 2);
        rows.set("b", 1);
        rows.keep();
        rows.set("a", 3);
        rows.set("a", 4);
        rows.set("c", 1);
        rows.take_back();
        assert_eq!(rows.altered(), [(&"a", &2)]);
        assert_eq!(rows.made(), [(&"b", &1)]);
        rows.set("b", 2);
        rows.keep();
        assert_eq!(rows.made(), [(&"b", &2)], "changed again, it is new still");
    }
}
