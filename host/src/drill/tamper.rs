//! The drill's hand inside a database. Nothing else in the host writes to it except through [`Store`](crate::store::Store).

use crate::drill::Obstacle;
use crate::drill::ground::Ground;
use rusqlite::Connection;
use rusqlite::Params;
use std::time::Duration;

/// Changes rows of the drill's own temporary database, as somebody with write access to a data folder could. An attack that changes
/// nothing was not tried.
pub(super) fn rewrite(ground: &Ground, statement: &str, params: impl Params) -> Result<(), Obstacle> {
    let database = Connection::open(ground.data().join("journal.sqlite"))?;
    database.busy_timeout(Duration::from_secs(5))?;
    match database.execute(statement, params)? {
        0 => Err(format!("no row was changed by: {statement}").into()),
        _ => Ok(()),
    }
}
