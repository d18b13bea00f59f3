//! The digest of the acts so far, one act at a time.

use receipt::Digest;
use store::RecordedAct;

/// The input of the digest of no acts, which separates these digests from all others.
const LABEL: &[u8] = b"pp-host acts v1";

/// `d0 = SHA-256(label)`, `dn = SHA-256(dn-1 || seq || at || body)`, numbers as eight bytes, the largest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chain(pub(super) Digest);

impl Default for Chain {
    fn default() -> Self {
        Self(Digest::of(LABEL))
    }
}

impl Chain {
    /// Adds the next act. The members before its text have a fixed length, so no two acts have the same encoding.
    pub(super) fn add(&mut self, act: &RecordedAct) {
        let (seq, at) = (act.seq.to_be_bytes(), act.at.as_millis().to_be_bytes());
        self.0 = Digest::of(&[self.0.as_bytes().as_slice(), &seq, &at, act.body.as_bytes()].concat());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use receipt::Timestamp;

    #[test]
    fn it_changes_with_every_part_of_every_act() {
        let act =
            |seq, at, body: &str| RecordedAct { seq, at: Timestamp::from_millis(at), body: body.to_owned() };
        let chain = |acts: &[RecordedAct]| {
            let mut chain = Chain::default();
            acts.iter().for_each(|act| chain.add(act));
            chain.0
        };
        let (one, two) = (act(1, 5, "one"), act(2, 6, "two"));
        let mut all = vec![
            chain(&[]),
            chain(std::slice::from_ref(&one)),
            chain(std::slice::from_ref(&two)),
            chain(&[one.clone(), two.clone()]),
            chain(&[two, one]),
            chain(&[act(2, 5, "one")]),
            chain(&[act(1, 6, "one")]),
            chain(&[act(1, 5, "onf")]),
            chain(&[act(1, 5, "onetwo")]),
        ];
        let different = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), different);
    }
}
