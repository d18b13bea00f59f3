//! Hosts over one PostgreSQL. Prints; asserts nothing.
//!
//! `cargo bench -p bench --bench postgres [-- [--quick] [SECTION…]]`
//!
//! Starts a server of its own, of the version that is installed as a Debian package. Where `PP_BENCH_STORE` has the URL of a database, that one
//! is measured instead, in two new schemas, which are dropped at the end.

use bench::{HostsBench, HostsSection, MeasureError, RunLength, work_if_host};
use std::process::ExitCode;

#[path = "../../../tests/support/postgres.rs"]
#[expect(dead_code, unreachable_pub, clippy::unwrap_used, reason = "the tests' own")]
mod server;

/// The allocator of `pp-host`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<(), MeasureError> {
    work_if_host()?;
    let words: Vec<_> = std::env::args().skip(1).collect();
    let run_length =
        if words.iter().any(|word| word == "--quick") { RunLength::Quick } else { RunLength::Whole };
    let named = |section: &HostsSection| words.iter().any(|word| word == section.name());
    let sections: Vec<_> = match HostsSection::ALL.into_iter().filter(named).collect::<Vec<_>>() {
        none if none.is_empty() => HostsSection::ALL.to_vec(),
        some => some,
    };
    let (server, schemas);
    let [url, second] = match std::env::var("PP_BENCH_STORE") {
        Ok(url) => {
            schemas = [Schema::new(&url, "a")?, Schema::new(&url, "b")?];
            [schemas[0].url.clone(), schemas[1].url.clone()]
        }
        Err(_) => {
            server = server::Server::start_with(&["shared_buffers=256MB"]).ok_or("there is no server")?;
            [server.schema(), server.schema()]
        }
    };
    let folder = std::env::temp_dir();
    let bench = HostsBench { url: &url, second: &second, folder: &folder, run_length };
    bench.run(&sections, &mut |line| println!("  {line}"))
}

/// A new schema in a database, migrated. It is dropped when the measurement ends, even if it fails.
struct Schema {
    database: String,
    name: String,
    url: String,
}

impl Schema {
    fn new(database: &str, end: &str) -> Result<Self, MeasureError> {
        let name = format!("bench_{}_{end}", std::process::id());
        server::psql(database, &format!("CREATE SCHEMA {name}"));
        let mark = if database.contains('?') { '&' } else { '?' };
        let url = format!("{database}{mark}options=-csearch_path%3D{name}");
        let schema = Self { database: database.to_owned(), name, url };
        store_postgres::Postgres::migrate(&schema.url)?;
        Ok(schema)
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        server::psql(
            &self.database,
            &format!("SET client_min_messages = warning; DROP SCHEMA {} CASCADE", self.name),
        );
    }
}
