//! Databases of older versions.

use super::*;
use crate::support::root;
use store::{ReceiptPage, ReceiptStore as _, RequestStore as _};

/// A schema of an older version.
fn of_version(server: &Server, version: u32) -> String {
    let url = server.empty_schema();
    let files = root().join("crates/store-postgres/src/schema");
    let step = |version| std::fs::read_to_string(files.join(format!("{version}.sql"))).unwrap();
    let steps: String = (1..=version).map(step).collect();
    let schema = postgres::schema_name(&url);
    let set = format!("UPDATE pp_host_schema SET version = {version}");
    server.sql(&format!("SET search_path = {schema}; {steps} {set}"));
    url
}

/// Version 7 read a receipt's tenant from its text, which some texts did not allow, and had resources as keys.
#[test]
fn version_7_becomes_the_newest() {
    let Some(server) = postgres::shared() else { return };
    let url = of_version(server, 7);
    let schema = postgres::schema_name(&url);
    let receipt = |name: &str, summary: &str, company: &str| {
        format!(
            r#"('rcpt_{name}', 'apr_{name}', '{{"id":"rcpt_{name}","request_json":"{{\"company_id\":\"no\"}}","summary":{summary},"company_id":"{company}","idem_key":"x"}}')"#
        )
    };
    let receipts = [
        receipt("1", "null", "acme"),
        receipt("2", r#""a\u0000b""#, "globex"),
        receipt("3", r#""\",\"company_id\":\"no""#, "acme"),
    ];
    server.sql(&format!(
        "SET search_path = {schema}; INSERT INTO receipts (id, request, body) VALUES {};
        INSERT INTO subjects VALUES ('acme', 'a.b r', 3, 0), ('acme', 'a.b r', 2, 1);
        INSERT INTO denials VALUES ('acme', 'a.b r', 'k1', 4)",
        receipts.join(", ")
    ));
    Postgres::migrate(&url).unwrap();
    let store = holder(&url);
    let of = |tenant: &str| {
        let page = ReceiptPage { tenant: Some(tenant.parse().unwrap()), ..ReceiptPage::ALL };
        let found = store.receipts(page).wait().unwrap();
        found.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        (of("acme"), of("globex")),
        (vec!["rcpt_1".to_owned(), "rcpt_3".to_owned()], vec!["rcpt_2".to_owned()])
    );
    assert_eq!(of("no"), Vec::<String>::new());
    let history = store.asked(&"acme".parse().unwrap(), "a.b", "r").wait().unwrap();
    assert_eq!((history.times, history.denials), (5, vec![("k1".to_owned(), 4)]));
    create(&store, "one");
    append(&store, "one", 1, &request("one", Quotas::default()), Writer::Driver).wait().unwrap();
    assert_eq!(store.asked(&"acme".parse().unwrap(), "a.b", "r").wait().unwrap().times, 6);
}
