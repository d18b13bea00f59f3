//! Artifacts in object storage: what hosts leave that are killed, what is lost there, and errors that say what to mend.

use super::conformance::blobs::Schema;
use crate::support::s3;
use receipt::Digest;
use std::net::TcpListener;
use std::sync::Arc;
use store::{BlobStore as _, ObjectStorage as _, StoreError};
use store_postgres::Postgres;
use store_s3::{Bucket, BucketError};

/// A host's store over a bucket of the tests' server, and that bucket.
struct Place {
    schema: Schema,
    bucket: Bucket,
    store: Postgres,
}

impl Place {
    fn new() -> Option<Self> {
        let (schema, s3) = (Schema::new()?, s3::shared()?);
        let url = s3.url();
        let store = Postgres::open(&schema.url).unwrap().with_objects(Arc::new(s3.bucket(&url)));
        Some(Self { schema, bucket: s3.bucket(&url), store })
    }

    fn sql(&self, statement: &str) -> String {
        self.schema.server.sql(&format!("SET search_path = {}; {statement}", self.schema.name))
    }

    /// Keeps bytes. Their digest, and the name of the object that has them.
    fn keep(&self, bytes: &[u8]) -> (Digest, String) {
        let digest = Digest::of(bytes);
        self.store.keep_blob(&digest, Arc::from(bytes)).wait().unwrap();
        (digest, self.sql(&format!("SELECT object FROM blobs WHERE sha256 = '{digest}'")))
    }

    /// The name of this database in the bucket.
    fn database(&self) -> String {
        self.sql("SELECT id FROM pp_host_schema")
    }

    fn names(&self) -> Vec<String> {
        let mut names = self.bucket.names(&self.database()).wait().unwrap();
        names.sort();
        names
    }
}

#[test]
fn the_database_has_the_row_and_the_bucket_the_bytes() {
    let Some(place) = Place::new() else { return };
    let (digest, name) = place.keep(b"module");
    assert!(name.starts_with(&format!("{}/{digest}/", place.database())), "{name}");
    assert_eq!(place.bucket.get(&name).wait().unwrap().as_deref(), Some(&b"module"[..]));
    assert_eq!(place.sql("SELECT count(*) FROM blob_chunks"), "0");
    // A host that is killed after it has written the object and before the row, or after it has deleted the row.
    let other = Digest::of(b"other");
    let now: i64 =
        place.sql("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint").parse().unwrap();
    let left = |database: &str, at: i64| {
        let name = format!("{database}/{other}/{at}-00000000-0000-0000-0000-000000000000");
        place.bucket.put(&name, Arc::from(&b"other"[..])).wait().unwrap();
        name
    };
    let (_old, young) = (left(&place.database(), now - 7_200_000), left(&place.database(), now));
    let elsewhere = left("another-database", now - 7_200_000);
    let named = left(&place.database(), now - 7_300_000);
    place.sql(&format!("INSERT INTO blobs VALUES ('{other}', 5, clock_timestamp(), '{named}')"));
    place.store.sweep_unnamed().wait().unwrap();
    let mut stay = vec![name, young, named];
    stay.sort();
    assert_eq!(place.names(), stay, "an old object without a row is removed, and nothing else");
    assert!(place.bucket.has(&elsewhere).wait().unwrap());
}

/// A removal may reach the bucket long after the host that sent it has given it up.
#[test]
fn a_late_removal_does_not_remove_what_was_kept_anew() {
    let Some(place) = Place::new() else { return };
    let (digest, before) = place.keep(b"module");
    place.sql("UPDATE blobs SET kept = kept - interval '2 hours'");
    place.store.sweep_blob(&digest).wait().unwrap();
    assert_eq!(place.names(), [""; 0]);
    let (_, now) = place.keep(b"module");
    assert_ne!(before, now);
    place.bucket.remove(&before).wait().unwrap();
    assert_eq!(place.store.blob(&digest).wait().unwrap().as_deref(), Some(&b"module"[..]));
}

#[test]
fn a_lost_object_is_said_to_be_missing_and_written_again_by_the_next_action() {
    let Some(place) = Place::new() else { return };
    let (digest, name) = place.keep(b"module");
    place.bucket.remove(&name).wait().unwrap();
    let said = place.store.blob(&digest).wait().unwrap_err().to_string();
    assert!(said.contains(&name) && said.contains("--artifacts"), "{said}");
    assert_eq!(place.keep(b"module"), (digest, name));
    assert_eq!(place.store.blob(&digest).wait().unwrap().as_deref(), Some(&b"module"[..]));
}

/// A bucket may be named at any time: what the database has stays there.
#[test]
fn artifacts_in_the_database_are_read_by_a_host_with_a_bucket_and_not_the_other_way() {
    let Some(place) = Place::new() else { return };
    let without = Postgres::open(&place.schema.url).unwrap();
    let old = Digest::of(b"old");
    without.keep_blob(&old, Arc::from(&b"old"[..])).wait().unwrap();
    place.store.keep_blob(&old, Arc::from(&b"old"[..])).wait().unwrap();
    assert_eq!(place.store.blob(&old).wait().unwrap().as_deref(), Some(&b"old"[..]));
    assert_eq!(place.names(), [""; 0]);
    let (new, name) = place.keep(b"new");
    let said = without.blob(&new).wait().unwrap_err().to_string();
    assert!(said.contains("start it with the --artifacts"), "{said}");
    place.sql("UPDATE blobs SET kept = kept - interval '2 hours'");
    for digest in [old, new] {
        without.sweep_blob(&digest).wait().unwrap();
    }
    without.sweep_unnamed().wait().unwrap();
    assert_eq!((place.store.blobs().wait().unwrap(), place.names()), (vec![new], vec![name]));
}

fn error(answer: Result<(), StoreError>) -> BucketError {
    let Err(StoreError::Unavailable(error)) = answer else { panic!("{answer:?}") };
    error.downcast_ref::<BucketError>().unwrap().clone()
}

#[test]
fn errors_say_what_to_mend_and_no_secret() {
    let Some(s3) = s3::shared() else { return };
    let with = |changes: &[(&str, &str)]| {
        let mut settings = s3.settings();
        settings.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
        let changes = changes.iter().filter(|(_, value)| !value.is_empty());
        settings.extend(changes.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        settings
    };
    let check = |url: &str, changes: &[(&str, &str)]| {
        let bucket = Bucket::open(url.parse().unwrap(), with(changes)).unwrap();
        let error = error(bucket.check().wait());
        let said = format!("{error} {error:?} {bucket:?}");
        assert!(!said.contains(s3.secret()) && !said.contains('\n'), "{said}");
        error
    };
    s3.bucket(&s3.url()).check().wait().unwrap();

    let missing = check("s3://nowhere/pp", &[]);
    assert!(matches!(&missing, BucketError::NoBucket { bucket, .. } if bucket == "nowhere"), "{missing}");
    let bytes = || Arc::from(&b"x"[..]);
    let nowhere = s3.bucket("s3://nowhere/pp");
    assert!(matches!(error(nowhere.put("a", bytes()).wait()), BucketError::NoBucket { .. }));
    assert!(matches!(error(nowhere.get("a").wait().map(drop)), BucketError::NoBucket { .. }));

    let foreign = check("s3://artifacts/pp", &[("AWS_SECRET_ACCESS_KEY", "wrong")]);
    assert!(
        matches!(&foreign, BucketError::Refused { problem, .. } if problem.contains("Signature")),
        "{foreign}"
    );

    // A port that nothing listens to.
    let closed = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let away = check("s3://artifacts/pp", &[("AWS_ENDPOINT_URL", &format!("http://{closed}"))]);
    assert!(
        matches!(&away, BucketError::Unreachable { endpoint, .. } if endpoint.contains(&closed.to_string())),
        "{away}"
    );

    let none = with(&[
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ]);
    let none = Bucket::open("s3://artifacts".parse().unwrap(), none).unwrap_err();
    assert!(matches!(none, BucketError::NoCredentials { .. }), "{none}");
    // A role of this machine, whose service does not answer.
    let no_role = check(
        "s3://artifacts/pp",
        &[
            ("AWS_ACCESS_KEY_ID", ""),
            ("AWS_SECRET_ACCESS_KEY", ""),
            ("AWS_METADATA_ENDPOINT", &format!("http://{closed}")),
        ],
    );
    assert!(matches!(no_role, BucketError::NoCredentials { .. }), "{no_role}");
    let half = Bucket::open("s3://artifacts".parse().unwrap(), with(&[("AWS_SECRET_ACCESS_KEY", "")]));
    assert!(matches!(half.unwrap_err(), BucketError::Settings { .. }));
}
