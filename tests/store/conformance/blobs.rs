//! Artifacts, for each place that keeps their bytes for several hosts: chunks in the database, and object storage.

use crate::support::postgres::{self, Server};
use receipt::Digest;
use std::sync::Arc;
use store::{BlobStore, StoreError};
use store_postgres::Postgres;

/// A place for bytes, beside a database with its rows.
trait Place: Sized {
    /// `None` where something is not installed, which has been reported.
    fn new() -> Option<Self>;

    /// A host's store.
    fn open(&self) -> Postgres;

    /// The server and the schema of the rows.
    fn rows(&self) -> (&Server, &str);

    /// Puts other bytes in the place of an artifact's.
    fn damage(&self, digest: &Digest);

    /// A statement about the rows.
    fn sql(&self, statement: &str) -> String {
        let (server, schema) = self.rows();
        server.sql(&format!("SET search_path = {schema}; {statement}"))
    }

    /// As if everything had been kept two hours ago.
    fn age(&self) {
        self.sql("UPDATE blobs SET kept = kept - interval '2 hours'");
    }
}

/// A schema of the shared server, with its URL and its name.
pub(in crate::store) struct Schema {
    pub(in crate::store) server: &'static Server,
    pub(in crate::store) url: String,
    pub(in crate::store) name: String,
}

impl Schema {
    pub(in crate::store) fn new() -> Option<Self> {
        let server = postgres::shared()?;
        let url = server.schema();
        let name = postgres::schema_name(&url);
        Some(Self { server, url, name })
    }
}

/// In the database.
struct Chunks(Schema);

impl Place for Chunks {
    fn new() -> Option<Self> {
        Schema::new().map(Self)
    }

    fn open(&self) -> Postgres {
        Postgres::open(&self.0.url).unwrap()
    }

    fn rows(&self) -> (&Server, &str) {
        (self.0.server, &self.0.name)
    }

    fn damage(&self, digest: &Digest) {
        self.sql(&format!("INSERT INTO blob_chunks VALUES ('{digest}', 1000, 'x')"));
    }
}

#[cfg(feature = "s3")]
mod bucket {
    use super::{Digest, Place, Postgres, Schema, Server};
    use crate::support::s3::{self, S3};
    use std::sync::Arc;
    use store::ObjectStorage as _;

    /// In object storage.
    pub(super) struct Objects {
        schema: Schema,
        s3: &'static S3,
        bucket: String,
    }

    impl Place for Objects {
        fn new() -> Option<Self> {
            let (schema, s3) = (Schema::new()?, s3::shared()?);
            Some(Self { schema, s3, bucket: s3.url() })
        }

        fn open(&self) -> Postgres {
            Postgres::open(&self.schema.url).unwrap().with_objects(Arc::new(self.s3.bucket(&self.bucket)))
        }

        fn rows(&self) -> (&Server, &str) {
            (self.schema.server, &self.schema.name)
        }

        fn damage(&self, digest: &Digest) {
            let name = self.sql(&format!("SELECT object FROM blobs WHERE sha256 = '{digest}'"));
            self.s3.bucket(&self.bucket).put(&name, Arc::from(&b"other bytes"[..])).wait().unwrap();
        }
    }
}

#[cfg(feature = "s3")]
use bucket::Objects;

macro_rules! artifacts {
    ($name:ident, $place:ident: $($test:ident),+) => {
        mod $name {
            use super::Place as _;

            $(#[test]
            fn $test() {
                let Some(place) = super::$place::new() else { return };
                super::$test(&place);
            })+
        }
    };
}

artifacts!(chunks, Chunks: are_read_as_they_were_kept, are_kept_for_as_long_as_something_holds_them, are_compared_with_their_digest, are_kept_once_by_many_hosts);
#[cfg(feature = "s3")]
artifacts!(objects, Objects: are_read_as_they_were_kept, are_kept_for_as_long_as_something_holds_them, are_compared_with_their_digest, are_kept_once_by_many_hosts);

/// Bytes of several chunks, and the digest.
fn large() -> (Digest, Arc<[u8]>) {
    let bytes: Arc<[u8]> = (0..3_000_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    (Digest::of(&bytes), bytes)
}

fn are_read_as_they_were_kept(place: &impl Place) {
    let (a, b) = (place.open(), place.open());
    let ((digest, bytes), empty) = (large(), Digest::of(b""));
    for store in [&a, &b, &a] {
        store.keep_blob(&digest, Arc::clone(&bytes)).wait().unwrap();
    }
    a.keep_blob(&empty, Arc::from(&b""[..])).wait().unwrap();
    assert_eq!(b.blob(&digest).wait().unwrap().as_deref(), Some(&*bytes));
    assert_eq!(b.blob(&empty).wait().unwrap(), Some(Vec::new()));
    assert_eq!(b.blob(&Digest::of(b"other")).wait().unwrap(), None);
    let mut kept = b.blobs().wait().unwrap();
    kept.sort_by_key(ToString::to_string);
    let mut expected = vec![digest, empty];
    expected.sort_by_key(ToString::to_string);
    assert_eq!(kept, expected);
}

fn are_kept_for_as_long_as_something_holds_them(place: &impl Place) {
    let store = place.open();
    let (held, other) = (Digest::of(b"held"), Digest::of(b"other"));
    let keep = |bytes: &[u8]| store.keep_blob(&Digest::of(bytes), Arc::from(bytes)).wait().unwrap();
    let sweep = || {
        for digest in [held, other] {
            store.sweep_blob(&digest).wait().unwrap();
        }
        store.sweep_unnamed().wait().unwrap();
    };
    keep(b"held");
    keep(b"other");
    sweep();
    assert_eq!(store.blobs().wait().unwrap().len(), 2, "kept a moment ago");
    place.sql(&format!("INSERT INTO artifacts VALUES ('acme', '{held}', 4, 1)"));
    place.age();
    keep(b"other");
    sweep();
    assert_eq!(store.blobs().wait().unwrap().len(), 2, "kept again a moment ago");
    place.age();
    sweep();
    assert_eq!(store.blobs().wait().unwrap(), [held]);
    assert_eq!(store.blob(&held).wait().unwrap().as_deref(), Some(&b"held"[..]));
    assert_eq!(store.blob(&other).wait().unwrap(), None);
    keep(b"other");
    assert_eq!(store.blob(&other).wait().unwrap().as_deref(), Some(&b"other"[..]), "removed and kept anew");
}

fn are_compared_with_their_digest(place: &impl Place) {
    let store = place.open();
    let digest = Digest::of(b"module");
    store.keep_blob(&digest, Arc::from(&b"module"[..])).wait().unwrap();
    place.damage(&digest);
    assert!(matches!(store.blob(&digest).wait(), Err(StoreError::Damaged(_))));
}

fn are_kept_once_by_many_hosts(place: &impl Place) {
    let hosts = [place.open(), place.open()];
    let (digest, bytes) = large();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (store, bytes) = (&hosts[number % 2], Arc::clone(&bytes));
            scope.spawn(move || store.keep_blob(&digest, bytes).wait().unwrap());
        }
    });
    for store in &hosts {
        assert_eq!(store.blob(&digest).wait().unwrap().as_deref(), Some(&*bytes));
        assert_eq!(store.blobs().wait().unwrap(), [digest]);
    }
}
