//! Hosts over one PostgreSQL. Prints; asserts nothing.
//!
//! `cargo bench -p bench --bench postgres [-- [--quick]]`
//!
//! Starts a server of its own, of the version that is installed as a Debian package. Where `PP_BENCH_STORE` has the URL of a database, that one
//! is measured instead, in two new schemas.

use bench::{Extent, HostsBench};
use std::process::ExitCode;

#[path = "../../../tests/support/postgres.rs"]
#[expect(dead_code, unreachable_pub, clippy::unwrap_used, reason = "the tests' own")]
mod server;

/// The allocator of `pp-host`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let extent = match std::env::args().any(|word| word == "--quick") {
        true => Extent::Quick,
        false => Extent::Whole,
    };
    let (_server, urls) = match std::env::var("PP_BENCH_STORE") {
        Ok(url) => {
            (None, ["a", "b"].map(|end| new_schema(&url, &format!("bench_{}_{end}", std::process::id()))))
        }
        Err(_) => match server::Server::start_with(&["shared_buffers=256MB"]) {
            Some(server) => {
                let urls = [server.schema(), server.schema()];
                (Some(server), urls)
            }
            None => return ExitCode::FAILURE,
        },
    };
    let [url, second] = &urls;
    let folder = std::env::temp_dir();
    let bench = HostsBench { url, second, folder: &folder, extent };
    match bench.run(&mut |line| println!("  {line}")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The URL of a new schema of that name in the database at a URL, migrated.
fn new_schema(url: &str, name: &str) -> String {
    server::psql(url, &format!("CREATE SCHEMA {name}"));
    let mark = if url.contains('?') { '&' } else { '?' };
    let url = format!("{url}{mark}options=-csearch_path%3D{name}");
    if let Err(error) = store_postgres::Postgres::migrate(&url) {
        eprintln!("{error}");
    }
    url
}
