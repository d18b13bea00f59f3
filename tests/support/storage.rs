//! The engine that keeps the state of the hosts in these tests: SQLite in the host's folder, or PostgreSQL where a variable names a server.

use super::compiled;
use super::faulty::Faulty;
use super::postgres::psql;
use engine::{Builder, Host};
use receipt::Digest;
use std::collections::HashSet;
use std::path::Path;
use std::sync::{LazyLock, Mutex};
use store::Store;
use store_postgres::Postgres;

/// The URL of a server's database. Each folder has a schema there.
pub const STORE: &str = "PP_TEST_STORE";

static MADE: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);

/// A host over this folder, with the engine that the tests run over. Prebuilt guests are compiled already.
pub fn builder(data: impl AsRef<Path>) -> Builder {
    compiled::put_guests(data.as_ref());
    let builder = Host::builder(&data);
    match url(data.as_ref()) {
        Some(url) => {
            builder.wrap_store(move |_| Box::new(Faulty::alone(Box::new(Postgres::open(&url).unwrap()))))
        }
        None => builder,
    }
}

/// The state of a folder's host, to read.
pub fn store(data: &Path) -> Box<dyn Store> {
    match url(data) {
        Some(url) => Box::new(Postgres::open(&url).unwrap()),
        None => Box::new(store_sqlite::Sqlite::open(&store::DataFolder::read(data).unwrap()).unwrap()),
    }
}

/// The URL of a folder's schema, which is made where there is none.
fn url(data: &Path) -> Option<String> {
    let server = std::env::var(STORE).ok()?;
    let name = format!("f{}", &Digest::of(data.display().to_string().as_bytes()).to_string()[..16]);
    let url = format!("{server}?options=-csearch_path%3D{name}");
    if MADE.lock().unwrap().insert(name.clone()) {
        psql(&server, &format!("CREATE SCHEMA IF NOT EXISTS {name}"));
        Postgres::migrate(&url).unwrap();
    }
    Some(url)
}
