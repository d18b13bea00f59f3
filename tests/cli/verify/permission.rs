//! What `--require` and a revocation in the same call mean, whatever else is wrong with the files.

use super::*;

/// The signed scope is the signer's claim, and a demonstration's key makes none for production.
#[test]
fn a_demo_key_s_receipt_is_of_no_production_whatever_it_claims() {
    let data = folder();
    let here = data.path();
    let keys = keys(here);
    let genuine = export(here, &receipt_id(here, "APPROVED"), &["--public"]);
    let forged = claiming_production(here, &genuine);
    let file = write(here, "forged.json", &forged.to_string());
    let ran = run(here, &["verify", &file, "--keys", &keys, "--require", "approved,production"]);
    assert_eq!(ran.code, Some(12), "{}", ran.stdout);
    assert!(ran.stdout.contains("APPROVED in scope production"), "{}", ran.stdout);
    assert!(ran.stdout.contains("a demonstration's key signed it"), "{}", ran.stdout);
    assert!(ran.stdout.contains("not met      production: it is signed under a demo"), "{}", ran.stdout);
}
