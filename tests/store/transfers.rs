//! Object storage that does not answer: the transfers wait, and nothing else does.

use super::conformance::blobs::Schema;
use receipt::Digest;
use std::any::Any;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::{Answer, BlobStore as _, JournalStore as _, ObjectStorage, StoreError};
use store_postgres::Postgres;

/// The time limit of waits that normally take a moment.
const TIMEOUT: Duration = Duration::from_secs(60);

/// More transfers than a host has sessions for reading.
const TRANSFERS: u8 = 12;

/// Object storage that takes requests and answers none.
struct Silent {
    asked: Sender<()>,
    promises: Mutex<Vec<Box<dyn Any + Send>>>,
}

impl Silent {
    fn ask<T: Send + 'static>(&self) -> Answer<T> {
        let (promise, answer) = Answer::promised();
        self.promises.lock().unwrap().push(Box::new(promise));
        self.asked.send(()).unwrap();
        answer
    }
}

impl ObjectStorage for Silent {
    fn place(&self) -> String {
        "nowhere".to_owned()
    }

    fn check(&self) -> Answer<()> {
        self.ask()
    }

    fn put(&self, _: &str, _: Arc<[u8]>) -> Answer<()> {
        self.ask()
    }

    fn get(&self, _: &str) -> Answer<Option<Vec<u8>>> {
        self.ask()
    }

    fn has(&self, _: &str) -> Answer<bool> {
        self.ask()
    }

    fn remove(&self, _: &str) -> Answer<()> {
        self.ask()
    }

    fn names(&self, _: &str) -> Answer<Vec<String>> {
        self.ask()
    }
}

/// Begins transfers of so many artifacts, each of which comes as far as object storage. Then their host still reads.
fn hang<T>(
    store: &Postgres,
    asked: &Receiver<()>,
    begin: impl Fn(&Digest, u8) -> Answer<T>,
) -> Vec<Answer<T>> {
    let begun: Vec<_> = (0..TRANSFERS).map(|number| begin(&Digest::of(&[number]), number)).collect();
    for number in 0..TRANSFERS {
        assert!(asked.recv_timeout(TIMEOUT).is_ok(), "transfer {number} waits for those before it");
    }
    assert!(store.instances().wait().unwrap().is_empty());
    begun
}

#[test]
fn transfers_that_hang_keep_no_session_from_reads() {
    let Some(schema) = Schema::new() else { return };
    let sql = |statement: &str| schema.server.sql(&format!("SET search_path = {}; {statement}", schema.name));
    let (sender, asked) = channel();
    let silent = Arc::new(Silent { asked: sender, promises: Mutex::default() });
    let store = Postgres::open(&schema.url).unwrap().with_objects(Arc::<Silent>::clone(&silent));
    let keep = |digest: &Digest, number| store.keep_blob(digest, Arc::from([number]));
    let mut begun = hang(&store, &asked, keep);
    for number in 0..TRANSFERS {
        let digest = Digest::of(&[number]);
        sql(&format!("INSERT INTO blobs VALUES ('{digest}', 1, clock_timestamp(), 'object-{number}')"));
    }
    // The objects of stored artifacts are looked for.
    begun.extend(hang(&store, &asked, keep));
    let read = hang(&store, &asked, |digest, _| store.blob(digest));
    sql("UPDATE blobs SET kept = kept - interval '2 hours'");
    begun.extend(hang(&store, &asked, |digest, _| store.sweep_blob(digest)));
    begun.extend(hang(&store, &asked, |_, _| store.sweep_unnamed()));
    // Storage that drops its requests.
    silent.promises.lock().unwrap().clear();
    for answer in begun {
        assert!(matches!(answer.wait(), Err(StoreError::Stopped)));
    }
    assert!(read.into_iter().all(|answer| answer.wait().is_err()));
}
