//! X
use crate::drill::Attack;
pub(super) fn attacks() -> Vec<Attack> {
    Vec::new()
}
