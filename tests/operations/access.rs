//! Access rights: every operation and every query, by every kind of principal, about a tenant of theirs and about
//! another's.

use crate::support;
use crate::support::{block_on, new_host};
use engine::api::{
    AccessError, Account, Attended, AuditScope, DeciderSession, ExportAudience, InstanceCommand, Operation,
    Principal, Query, Submit, TokenGrant, TokenScope, View,
};
use engine::trust::Act;
use engine::{Error, Host, InstanceKey};
use receipt::Decision;
use serde_json::Value;
use std::collections::BTreeSet;
use workflow::{Finding, ReceiptId, RequestId, TenantId};

/// The principals that may, in addition to operators: a token with this scope, and deciders.
type Row = (&'static str, &'static str, Deciders);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Deciders {
    No,
    /// About their tenants.
    Theirs,
    /// About their tenants, in their own name.
    InTheirName,
    /// About everything.
    All,
}

use Deciders::{All, InTheirName, No, Theirs};

/// No scope is enough.
const OPERATORS: &str = "";

/// No scope is needed, and no token.
const PUBLIC: &str = "public";

/// The expected table, written independently of the code.
const TABLE: [Row; 43] = [
    ("submit", "instances:write", No),
    ("send-event", "events:send", No),
    ("pause", "instances:write", No),
    ("resume", "instances:write", No),
    ("terminate", "instances:write", No),
    ("restart", "instances:write", No),
    ("resolve", "operate", No),
    ("delete", "instances:write", No),
    ("decide-as-demo", OPERATORS, No),
    ("draw-up", "approvals:write", InTheirName),
    ("sign", "approvals:write", Theirs),
    ("draw-up-review", "approvals:write", InTheirName),
    ("review", "approvals:write", Theirs),
    ("withdraw", "approvals:write", No),
    ("revoke", "operate", No),
    ("rotate-keys", OPERATORS, No),
    ("revoke-key", OPERATORS, No),
    ("say", OPERATORS, No),
    ("instances", "instances:read", Theirs),
    ("instance", "instances:read", Theirs),
    ("output", "instances:read", Theirs),
    ("audit-instance", "instances:read", Theirs),
    ("audit-tenant", "instances:read", Theirs),
    ("audit-host", OPERATORS, No),
    ("facts", "instances:read", Theirs),
    ("requests", "approvals:read", Theirs),
    ("request-log", "approvals:read", Theirs),
    ("request", "approvals:read", Theirs),
    ("request-statistics", OPERATORS, No),
    ("explain", "approvals:read", Theirs),
    ("receipts", "receipts:read", Theirs),
    ("receipt", "receipts:read", Theirs),
    ("export-owner", "receipts:read", Theirs),
    ("export-public", "receipts:read", Theirs),
    ("deployments", "instances:read", Theirs),
    ("live-deployment", "instances:read", Theirs),
    ("deciders", OPERATORS, All),
    ("keys", PUBLIC, All),
    ("limits-tenant", "instances:read", No),
    ("limits-host", OPERATORS_OR_NOTHING, No),
    ("usage", "instances:read", No),
    ("revocation", "receipts:read", Theirs),
    ("no-such-request", "approvals:read", Theirs),
];

/// A token has the right, and nothing that it could be about.
const OPERATORS_OR_NOTHING: &str = "nothing";

/// An operation or a query.
enum Ask {
    Do(Operation),
    See(Query),
}

fn receipts(tenant: Option<TenantId>) -> Query {
    Query::Receipts { tenant, after: None, newest_first: false, limit: 99 }
}

fn deployments(tenant: Option<TenantId>) -> Query {
    Query::Deployments { tenant, after: None, limit: 99 }
}

/// The objects of one tenant.
struct Tenant {
    name: &'static str,
    key: InstanceKey,
    waiting: InstanceKey,
    request: RequestId,
    receipt: ReceiptId,
    revocation: ReceiptId,
}

impl Tenant {
    fn new(host: &Host, name: &'static str) -> Self {
        let receipt = |key: &InstanceKey| {
            let asked = block_on(host.drive(key)).unwrap();
            let engine::Status::Waiting(wait) = asked else { panic!("{asked:?}") };
            host.decide(wait.request().unwrap(), &support::judgement(Decision::Approved)).unwrap().id
        };
        let key = support::start_for(host, name, "tenant-workflow", "{}");
        let spent = receipt(&key);
        block_on(host.drive(&key)).unwrap();
        let revoked = receipt(&support::start_for(host, name, "tenant-workflow", "{}"));
        let revocation = host.revoke(&revoked, "operator", None).unwrap().id;
        let waiting = support::start_for(host, name, "tenant-workflow", "{}");
        let asked = block_on(host.drive(&waiting)).unwrap();
        let engine::Status::Waiting(wait) = asked else { panic!("{asked:?}") };
        let request = wait.request().unwrap().clone();
        Self { name, key, waiting, request, receipt: spent, revocation }
    }

    /// The row's operation or query, about this tenant.
    fn ask(&self, row: &str) -> Ask {
        let operation = self.operation(row).map(Ask::Do);
        operation.or_else(|| self.query(row).map(Ask::See)).unwrap_or_else(|| panic!("{row} is no row"))
    }

    fn operation(&self, row: &str) -> Option<Operation> {
        let request = self.request.clone();
        let handle = |handling| Some(Operation::ControlInstance { key: self.key.clone(), handling });
        let (by, reason) = ("ann".parse().unwrap(), "r".to_owned());
        let envelope = "{}".to_owned();
        match row {
            "submit" => Some(Operation::Submit(Submit {
                id: None,
                tenant: self.name.parse().unwrap(),
                actor: "agent:a".parse().unwrap(),
                operator: None,
                submitter: None,
                name: "w".to_owned(),
                params: "{}".to_owned(),
                component: support::guest("tenant-workflow").into(),
            })),
            "send-event" => handle(InstanceCommand::SendEvent {
                event_type: "e".parse().unwrap(),
                payload: "null".to_owned(),
            }),
            "pause" => handle(InstanceCommand::Pause),
            "resume" => handle(InstanceCommand::Resume),
            "terminate" => handle(InstanceCommand::Terminate { reason: None }),
            "restart" => handle(InstanceCommand::Restart {
                point: engine::api::RestartPoint::Call { name: "nowhere".to_owned(), nth: 0 },
                component: Vec::new().into(),
            }),
            "resolve" => handle(InstanceCommand::Resolve {
                receipt: self.receipt.clone(),
                finding: Finding::Failed,
                found_by: None,
                reason,
            }),
            "delete" => Some(Operation::ControlInstance {
                key: self.waiting.clone(),
                handling: InstanceCommand::Delete,
            }),
            "decide-as-demo" => {
                let (decision, attended) = (Decision::Denied, Attended::Automatic);
                Some(Operation::DecideAsDemo { request, decision, attended, reason: None })
            }
            "draw-up" => {
                let decision = Decision::Approved;
                Some(Operation::PrepareStatement { request, by, role: None, decision, reason: None })
            }
            "sign" => Some(Operation::Sign { request, envelope }),
            "draw-up-review" => {
                Some(Operation::PrepareReview { request, by, decision: Decision::Approved, reason })
            }
            "review" => Some(Operation::Review { request, envelope }),
            "withdraw" => Some(Operation::Withdraw { request, reason: Some("w".repeat(1 << 20)) }),
            "revoke" => Some(Operation::Revoke { receipt: self.receipt.clone(), reason: None }),
            "rotate-keys" => Some(Operation::RotateKeys {}),
            "revoke-key" => Some(Operation::RevokeKey { key_id: "pp_none".to_owned() }),
            "say" => Some(Operation::RecordAct { act: Act::DeciderRemoved { decider: by, reason } }),
            _ => None,
        }
    }

    fn query(&self, row: &str) -> Option<Query> {
        let (request, key) = (self.request.clone(), self.key.clone());
        match row {
            "instances" => Some(Query::Instances {
                tenant: Some(key.tenant),
                status: None,
                after: None,
                since: None,
                limit: 9,
            }),
            "instance" => Some(Query::Instance { key }),
            "output" => Some(Query::Output { key }),
            "audit-instance" => Some(Query::Audit { of: AuditScope::Instance(key), after: None, limit: 99 }),
            "audit-tenant" => {
                Some(Query::Audit { of: AuditScope::Tenant(key.tenant), after: None, limit: 99 })
            }
            "audit-host" => Some(Query::Audit { of: AuditScope::Host, after: None, limit: 99 }),
            "facts" => Some(Query::Facts { key, from: 0, limit: 9 }),
            "requests" => Some(Query::Requests { tenant: Some(key.tenant) }),
            "request-log" => Some(Query::RequestLog {
                tenant: Some(key.tenant),
                outcome: None,
                after: None,
                since: None,
                limit: 9,
            }),
            "request" => Some(Query::Request { request }),
            "no-such-request" => Some(Query::Request { request: "req_none".parse().unwrap() }),
            "request-statistics" => Some(Query::RequestStatistics),
            "explain" => Some(Query::Explain { request }),
            "receipts" => Some(receipts(Some(key.tenant))),
            "receipt" => Some(Query::Receipt { receipt: self.receipt.clone() }),
            "revocation" => Some(Query::Receipt { receipt: self.revocation.clone() }),
            "export-owner" => {
                Some(Query::Export { receipt: self.receipt.clone(), audience: ExportAudience::Owner })
            }
            "export-public" => {
                Some(Query::Export { receipt: self.receipt.clone(), audience: ExportAudience::Public })
            }
            "deployments" => Some(deployments(Some(key.tenant))),
            "live-deployment" => Some(Query::LiveDeployment {
                tenant: key.tenant,
                resource: "cloudflare://workers/tenant-acme/generated-app".to_owned(),
            }),
            "deciders" => Some(Query::Deciders),
            "keys" => Some(Query::Keys),
            "limits-tenant" => Some(Query::Limits { tenant: Some(key.tenant) }),
            "limits-host" => Some(Query::Limits { tenant: None }),
            "usage" => Some(Query::Usage { tenant: key.tenant }),
            _ => None,
        }
    }
}

/// The row of an operation or a query. A new one does not compile without a row.
fn row(ask: &Ask) -> &'static str {
    match ask {
        Ask::Do(operation) => match operation {
            Operation::Submit(_) => "submit",
            Operation::ControlInstance { handling, .. } => match handling {
                InstanceCommand::SendEvent { .. } => "send-event",
                InstanceCommand::Pause => "pause",
                InstanceCommand::Resume => "resume",
                InstanceCommand::Terminate { .. } => "terminate",
                InstanceCommand::Restart { .. } => "restart",
                InstanceCommand::Resolve { .. } => "resolve",
                InstanceCommand::Delete => "delete",
            },
            Operation::DecideAsDemo { .. } => "decide-as-demo",
            Operation::PrepareStatement { .. } => "draw-up",
            Operation::Sign { .. } => "sign",
            Operation::PrepareReview { .. } => "draw-up-review",
            Operation::Review { .. } => "review",
            Operation::Withdraw { .. } => "withdraw",
            Operation::Revoke { .. } => "revoke",
            Operation::RotateKeys {} => "rotate-keys",
            Operation::RevokeKey { .. } => "revoke-key",
            Operation::RecordAct { .. } => "say",
        },
        Ask::See(query) => match query {
            Query::Instances { .. } => "instances",
            Query::Instance { .. } => "instance",
            Query::Output { .. } => "output",
            Query::Audit { of: AuditScope::Instance(_), .. } => "audit-instance",
            Query::Audit { of: AuditScope::Tenant(_), .. } => "audit-tenant",
            Query::Audit { of: AuditScope::Host, .. } => "audit-host",
            Query::Facts { .. } => "facts",
            Query::Requests { .. } => "requests",
            Query::RequestLog { .. } => "request-log",
            Query::Request { .. } => "request",
            Query::RequestStatistics => "request-statistics",
            Query::Explain { .. } => "explain",
            Query::Receipts { .. } => "receipts",
            Query::Receipt { .. } => "receipt",
            Query::Export { audience: ExportAudience::Owner, .. } => "export-owner",
            Query::Export { audience: ExportAudience::Public, .. } => "export-public",
            Query::Deployments { .. } => "deployments",
            Query::LiveDeployment { .. } => "live-deployment",
            Query::Deciders => "deciders",
            Query::Keys => "keys",
            Query::Limits { tenant: Some(_) } => "limits-tenant",
            Query::Limits { tenant: None } => "limits-host",
            Query::Usage { .. } => "usage",
        },
    }
}

fn token(tenant: &str, scopes: impl IntoIterator<Item = TokenScope>) -> Principal {
    let (tenant, scopes) = (tenant.parse().unwrap(), scopes.into_iter().collect());
    Principal::Token(TokenGrant { id: "t1".to_owned(), tenant, scopes })
}

fn decider(person: &str, tenants: &[&str]) -> Principal {
    let tenants = tenants.iter().map(|tenant| tenant.parse().unwrap()).collect();
    Principal::Decider(DeciderSession { person: person.parse().unwrap(), tenants })
}

/// A principal's answer: `ok` unless the access was refused.
fn verdict(host: &Host, principal: &Principal, ask: Ask) -> String {
    let done = match ask {
        Ask::Do(operation) => host.operate_as(principal, operation).map(drop),
        Ask::See(query) => host.view(principal, query).map(drop),
    };
    match done {
        Err(Error::Access(AccessError::Unauthenticated(_))) => "unknown".to_owned(),
        Err(Error::Access(AccessError::MissingScope { scope, .. })) => format!("needs {scope}"),
        Err(Error::Access(AccessError::OperatorsOnly(_))) => "operators only".to_owned(),
        Err(Error::Access(AccessError::OtherPerson(_))) => "another person".to_owned(),
        Err(Error::Access(AccessError::NotFound)) => "not found".to_owned(),
        Err(Error::Access(other)) => panic!("{other}"),
        Ok(()) | Err(_) => "ok".to_owned(),
    }
}

#[test]
fn the_whole_table() {
    let (_folder, host) = new_host();
    let acme = Tenant::new(&host, "acme");
    let _other = Tenant::new(&host, "globex");
    let everything = || TokenScope::ALL;
    for (name, scope, deciders) in TABLE {
        let check = |principal: &Principal, expected: &str, who: &str| {
            let ask = acme.ask(name);
            assert!(matches!(name, "revocation" | "no-such-request") || row(&ask) == name, "{name}");
            assert_eq!(verdict(&host, principal, ask), expected, "{name} by {who}");
        };
        let is_nobodys = matches!(name, "no-such-request");
        let of_no_tenant = scope == OPERATORS_OR_NOTHING;
        let found = if is_nobodys || of_no_tenant { "not found" } else { "ok" };
        let all = token("acme", everything());
        let none = token("acme", []);
        let others = token("globex", everything());
        match scope {
            PUBLIC => {
                for (who, principal) in
                    [("anybody", &Principal::Anonymous), ("any token", &none), ("another's token", &others)]
                {
                    check(principal, "ok", who);
                }
            }
            OPERATORS => {
                check(&Principal::Anonymous, "unknown", "anybody");
                check(&all, "operators only", "a token with every scope");
                check(&others, "operators only", "another tenant's token");
            }
            _ => {
                let needed = if of_no_tenant { "instances:read" } else { scope };
                let needed: TokenScope = needed.parse().unwrap();
                check(&Principal::Anonymous, "unknown", "anybody");
                check(&none, &format!("needs {needed}"), "a token without scopes");
                let without = token("acme", everything().into_iter().filter(|scope| *scope != needed));
                check(&without, &format!("needs {needed}"), "a token with every other scope");
                check(&others, "not found", "another tenant's token");
                let others = token("globex", []);
                check(&others, &format!("needs {needed}"), "another tenant's token without scopes");
                check(&token("acme", [needed]), found, "a token with the scope");
            }
        }
        let (ann, bob, cyd) =
            (decider("ann", &["acme", "initech"]), decider("bob", &["acme"]), decider("ann", &[]));
        let elsewhere = decider("ann", &["globex"]);
        let (own, other, stranger) = match deciders {
            No => ("operators only", "operators only", "operators only"),
            Theirs => (found, found, "not found"),
            InTheirName => (found, "another person", "not found"),
            All => ("ok", "ok", "ok"),
        };
        check(&ann, own, "a decider of the tenant");
        check(&cyd, if is_nobodys { "not found" } else { own }, "a decider of every tenant");
        check(&bob, other, "another decider of the tenant");
        check(&elsewhere, stranger, "a decider of another tenant");
        // Last: it is done.
        check(&Principal::Operator(Account::own()), "ok", "an operator");
    }
    let rows: BTreeSet<_> = TABLE.iter().map(|(name, _, _)| name).collect();
    assert_eq!(rows.len(), TABLE.len(), "a row twice");
}

/// Lists that name no tenant show a principal only its own tenants' objects.
#[test]
fn lists_show_a_principal_its_own() {
    let (_folder, host) = new_host();
    let _tenants = [Tenant::new(&host, "acme"), Tenant::new(&host, "globex")];
    let lists = || {
        [
            Query::Instances { tenant: None, status: None, after: None, since: None, limit: 99 },
            Query::Requests { tenant: None },
            receipts(None),
            deployments(None),
        ]
    };
    let tenants = |principal: &Principal, query: Query| -> Vec<String> {
        let view = serde_json::to_value(host.view(principal, query).unwrap()).unwrap();
        let rows = view.as_object().unwrap().values().find_map(Value::as_array).unwrap().clone();
        let tenants: BTreeSet<_> =
            rows.iter().map(|row| row["tenant"].as_str().unwrap().to_owned()).collect();
        tenants.into_iter().collect()
    };
    for query in lists() {
        let all = token("acme", TokenScope::ALL);
        assert_eq!(tenants(&all, query.clone()), ["acme"], "{query:?}");
        assert_eq!(tenants(&decider("ann", &["globex"]), query.clone()), ["globex"], "{query:?}");
        assert_eq!(tenants(&decider("ann", &[]), query.clone()), ["acme", "globex"], "{query:?}");
        assert_eq!(tenants(&Principal::own(), query.clone()), ["acme", "globex"], "{query:?}");
    }
    let two = decider("ann", &["acme", "initech"]);
    let refused =
        host.view(&two, Query::Instances { tenant: None, status: None, after: None, since: None, limit: 9 });
    assert!(matches!(refused, Err(Error::Access(AccessError::TenantNeeded))), "{refused:?}");
    assert_eq!(tenants(&two, Query::Requests { tenant: None }), ["acme"]);
    let audit = host.view(
        &Principal::own(),
        Query::Audit { of: AuditScope::Tenant("acme".parse().unwrap()), after: None, limit: 99 },
    );
    let View::Audit { records, .. } = audit.unwrap() else { panic!("an audit") };
    let whose: BTreeSet<_> = records
        .iter()
        .map(|record| serde_json::to_value(record).unwrap()["tenant"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(whose, BTreeSet::from(["acme".to_owned()]));
}

/// An operation is a value with one shape in JSON, and so is a query.
#[test]
fn what_is_asked_for_is_the_same_after_a_way_as_json() {
    let (_folder, host) = new_host();
    let acme = Tenant::new(&host, "acme");
    for (name, _, _) in TABLE {
        match acme.ask(name) {
            Ask::Do(operation) => {
                let text = serde_json::to_string(&operation).unwrap();
                let read: Operation = serde_json::from_str(&text).unwrap();
                assert_eq!(serde_json::to_string(&read).unwrap(), text);
                assert!(serde_json::from_str::<Operation>(&text.replacen('{', r#"{"more":1,"#, 1)).is_err());
            }
            Ask::See(query) => {
                let text = serde_json::to_string(&query).unwrap();
                assert_eq!(serde_json::from_str::<Query>(&text).unwrap(), query);
                let view = host.view(&Principal::own(), query);
                let Ok(view) = view else { continue };
                let view = serde_json::to_value(view).unwrap();
                let answered = view["view"].as_str().unwrap();
                assert!(
                    name.starts_with(answered) || answered == "explanation" || name == "revocation",
                    "{name}: {answered}"
                );
            }
        }
    }
}
