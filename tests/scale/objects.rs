//! Hosts with their artifacts in object storage.

use super::cluster::Cluster;
use crate::support::cli::Ran;
use crate::support::s3;
use crate::support::until;
use std::fs;

#[test]
fn an_artifact_that_one_host_puts_in_the_bucket_is_served_by_the_others() {
    let (Some(mut cluster), Some(s3)) = (Cluster::start(None), s3::shared()) else { return };
    cluster.variables = s3.settings();
    cluster.variables.push(("PP_HOST_ARTIFACTS".to_owned(), s3.url()));
    let hosts = ["a", "b"].map(|name| cluster.work_begun(name));
    cluster.submit();
    until("the request is there", || cluster.requests().len() == 1);
    cluster.approve(&cluster.requests()[0]);
    cluster.until_complete(1);
    cluster.check_once_each(1);
    let sql =
        |statement: &str| cluster.server.sql(&format!("SET search_path = {}; {statement}", cluster.schema));
    assert_eq!(sql("SELECT count(*) FROM blob_chunks"), "0");
    let digest = sql("SELECT sha256 FROM blobs WHERE object IS NOT NULL");
    for name in ["a", "b"] {
        let file = cluster.path(name).join("deployments/artifacts").join(&digest);
        until("the artifact is on the host's disk", || file.exists());
        let log = fs::read_to_string(cluster.log(name)).unwrap();
        assert!(!log.contains(s3.secret()));
    }
    hosts.into_iter().for_each(super::cluster::Working::stop);
}

#[test]
fn a_host_that_is_to_work_with_a_bucket_that_cannot_be_used_says_so_and_ends() {
    let (Some(mut cluster), Some(s3)) = (Cluster::start(None), s3::shared()) else { return };
    cluster.variables = s3.settings();
    let refused = |arguments: &[&str]| {
        let ran: Ran = cluster.command("a", arguments).output().unwrap().into();
        assert_ne!(ran.code, Some(0));
        assert!(!ran.stderr.contains(s3.secret()), "{}", ran.stderr);
        ran.stderr
    };
    let nowhere = refused(&["work", "--artifacts", "s3://nowhere"]);
    assert!(nowhere.contains("there is no bucket nowhere at http://127.0.0.1:"), "{nowhere}");
    let invalid = refused(&["work", "--artifacts", "https://nowhere"]);
    assert!(invalid.contains("s3://BUCKET/PREFIX"), "{invalid}");
}
