//! A drive that waits for the database keeps no thread from other tasks.

use crate::support;
use crate::support::postgres;
use crate::support::{TIMEOUT, until};
use engine::{Host, StoreLocation, WorkerOptions};
use std::sync::mpsc::channel;
use tempfile::TempDir;
use tokio::sync::mpsc::unbounded_channel;

/// Tables that a drive reads up to its request, in that order.
const TABLES: [&str; 3] = ["entries", "acts", "precedents"];

#[test]
fn a_read_of_a_drive_that_waits_delays_no_other_task() {
    let Some(server) = postgres::shared() else { return };
    let url = server.schema();
    let schema = url.rsplit("%3D").next().unwrap().to_owned();
    let folder = TempDir::new().unwrap();
    let host =
        Host::builder(folder.path()).store(StoreLocation::Database(url.parse().unwrap())).open().unwrap();
    let key = support::start(&host, "tenant-workflow", "{}");
    let mut locks = TABLES.map(|table| {
        let mut session = server.session();
        session.run(&format!("BEGIN; LOCK TABLE {schema}.{table} IN ACCESS EXCLUSIVE MODE; SELECT 1;"));
        session
    });
    let (ask, mut asked) = unbounded_channel::<()>();
    let (answer, answers) = channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let working = host.clone();
    let thread = std::thread::spawn(move || {
        // The only thread for tasks.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            tokio::spawn(async move {
                while asked.recv().await.is_some() {
                    answer.send(()).unwrap();
                }
            });
            working.work(WorkerOptions::default(), async { drop(stopped.await) }).await.unwrap();
        });
    });
    for (table, lock) in TABLES.iter().zip(&mut locks) {
        let waits = format!(
            "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND relation = '{schema}.{table}'::regclass"
        );
        server.wait_until(&waits, "t");
        ask.send(()).unwrap();
        assert!(answers.recv_timeout(TIMEOUT).is_ok(), "a read of {table} holds the thread");
        lock.run("COMMIT; SELECT 1;");
    }
    until("the request is there", || host.status(&key).unwrap().request().is_some());
    drop(stop);
    thread.join().unwrap();
}
