//! Operating a host: in its own process, and from another one through the control socket.

use crate::support;
use crate::support::{cli, new_host};
use engine::Host;
use engine::api::{Account, Created, InstanceCommand, Operation, OperationOutcome, Submit};
use engine::control::{ControlClient, ControlError};
use engine::trust::{Act, RecordedTrustAct};
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use store::{FolderError, StoreError};
use tempfile::TempDir;

fn submit(id: Option<&str>, params: &str) -> Operation {
    Operation::Submit(Submit {
        id: id.map(|id| id.parse().unwrap()),
        tenant: "acme".parse().unwrap(),
        actor: "agent:builder".parse().unwrap(),
        operator: None,
        submitter: None,
        name: "w".to_owned(),
        params: params.to_owned(),
        component: support::guest("tenant-workflow").into(),
    })
}

fn created(answer: &OperationOutcome) -> (String, Created) {
    match answer {
        OperationOutcome::Submitted { key, created } => (key.to_string(), *created),
        other => panic!("nothing was submitted: {other:?}"),
    }
}

fn remote(folder: &Path, operation: &Operation) -> Result<OperationOutcome, ControlError> {
    ControlClient::connect(folder)?.operate(operation)
}

fn refused(result: Result<OperationOutcome, ControlError>) -> String {
    match result {
        Err(ControlError::Refused(message)) => message,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn the_same_submitted_again_is_the_same_instance() {
    let (_folder, host) = new_host();
    let first = created(&host.operate(submit(Some("nightly-1"), "{}")).unwrap());
    assert_eq!(first, ("acme/nightly-1".to_owned(), Created::New));
    let again = created(&host.operate(submit(Some("nightly-1"), "{}")).unwrap());
    assert_eq!(again, ("acme/nightly-1".to_owned(), Created::Existing));
    let (_, unnamed) = created(&host.operate(submit(None, "{}")).unwrap());
    assert_eq!(unnamed, Created::New);
    assert_eq!(host.store().instances().wait().unwrap().len(), 2);
}

#[test]
fn the_same_input_written_otherwise_is_the_same_input() {
    let (_folder, host) = new_host();
    let created = |id: &str, params: &str| match host.operate(submit(Some(id), params)) {
        Ok(OperationOutcome::Submitted { created, .. }) => Ok(created),
        other => Err(format!("{other:?}")),
    };
    assert_eq!(created("a", r#"{"steps":1,"note":"a/b"}"#), Ok(Created::New));
    for same in [
        r#"{"note":"a/b","steps":1}"#,
        " {\n \"steps\": 1.0, \"note\": \"a\\/b\" } ",
        r#"{"steps":1e0,"note":"\u0061/b"}"#,
    ] {
        assert_eq!(created("a", same), Ok(Created::Existing), "{same}");
    }
    for other in
        [r#"{"steps":"1","note":"a/b"}"#, r#"{"steps":1}"#, r#"{"steps":1,"note":"a/b","more":null}"#]
    {
        assert!(created("a", other).unwrap_err().contains("other parameters"), "{other}");
    }
    // Two numbers that are one to JavaScript are two inputs.
    assert_eq!(created("b", r#"{"n":9007199254740993}"#), Ok(Created::New));
    assert_eq!(created("b", r#"{"n":9007199254740993}"#), Ok(Created::Existing));
    assert!(created("b", r#"{"n":9007199254740992}"#).unwrap_err().contains("other parameters"));
}

#[test]
fn another_input_under_the_same_name_is_refused_and_the_difference_named() {
    let (_folder, host) = new_host();
    host.operate(submit(Some("a"), "{}")).unwrap();
    let said = |change: fn(&mut Submit)| {
        let Operation::Submit(mut other) = submit(Some("a"), "{}") else { panic!("a submit") };
        change(&mut other);
        host.operate(Operation::Submit(other)).unwrap_err().to_string()
    };
    assert!(said(|other| other.params = r#"{"a":1}"#.to_owned()).contains("other parameters"));
    assert!(said(|other| other.name = "x".to_owned()).contains("another name of the workflow"));
    assert!(said(|other| other.actor = "agent:b".parse().unwrap()).contains("another actor"));
    assert!(said(|other| other.operator = Some("ann".parse().unwrap())).contains("another operator"));
    assert!(said(|other| other.component = support::guest("hostile").into()).contains("another component"));
    let Operation::Submit(mut neighbour) = submit(Some("a"), "[]") else { panic!("a submit") };
    neighbour.tenant = "globex".parse().unwrap();
    let neighbour = host.operate(Operation::Submit(neighbour)).unwrap();
    assert_eq!(created(&neighbour).1, Created::New, "a name is a tenant's own");
}

#[test]
fn the_owner_of_a_folder_does_it_for_others() {
    let (folder, host) = new_host();
    let unreachable = remote(folder.path(), &submit(None, "{}"));
    assert!(matches!(unreachable, Err(ControlError::Unreachable { .. })), "{unreachable:?}");
    let control = host.listen().unwrap();
    let socket = folder.path().join("control.sock");
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let answer = remote(folder.path(), &submit(Some("a"), "{}")).unwrap();
    assert_eq!(created(&answer), ("acme/a".to_owned(), Created::New));
    assert!(refused(remote(folder.path(), &submit(Some("a"), "[]"))).contains("other parameters"));
    assert!(refused(remote(folder.path(), &submit(None, "{"))).contains("parameters"));
    drop(control);
    assert!(!socket.exists(), "nobody listens, and nothing says so");
}

#[test]
fn many_submit_the_same_at_once_and_there_is_one() {
    let (folder, host) = new_host();
    let _control = host.listen().unwrap();
    let asking: Vec<_> = (0..64)
        .map(|_| {
            let folder = folder.path().to_owned();
            std::thread::spawn(move || created(&remote(&folder, &submit(Some("a"), "{}")).unwrap()).1)
        })
        .collect();
    let answers: Vec<_> = asking.into_iter().map(|asking| asking.join().unwrap()).collect();
    assert_eq!(answers.iter().filter(|created| **created == Created::New).count(), 1);
    assert_eq!(host.store().instances().wait().unwrap().len(), 1);
}

/// The answer of a connection that has sent `words`.
fn says(folder: &Path, words: &[u8]) -> Vec<u8> {
    let mut stream = UnixStream::connect(folder.join("control.sock")).unwrap();
    // The other side may have hung up already.
    let _ = stream.write_all(words);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

/// Does something as another account. Credentials are each thread's. Only the superuser can: `None` without that right.
fn as_another_account<T: Send>(act: impl FnOnce() -> T + Send) -> Option<T> {
    const OTHER: u32 = 61_234;
    let acting = || {
        rustix::thread::set_thread_uid(rustix::process::Uid::from_raw(OTHER)).ok()?;
        Some(act())
    };
    let done = std::thread::scope(|scope| scope.spawn(acting).join().unwrap());
    if done.is_none() {
        std::io::stderr().write_all(b"NOT RUN: only root can act as another account\n").unwrap();
    }
    done
}

/// The modes of the folder and of the socket keep other accounts out. Where they are open, the account at the other end does.
#[test]
fn another_account_s_process_operates_nothing() {
    let (folder, host) = new_host();
    let _control = host.listen().unwrap();
    let (data, socket) = (folder.path(), folder.path().join("control.sock"));
    let refused = as_another_account(|| UnixStream::connect(&socket).unwrap_err().kind());
    fs::set_permissions(data, fs::Permissions::from_mode(0o711)).unwrap();
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).unwrap();
    let freeze = serde_json::to_vec(&freeze("drill")).unwrap();
    let length = u32::try_from(freeze.len()).unwrap().to_be_bytes();
    let asks = [&[0, 2][..], &length, &freeze, &[0; 4]].concat();
    let Some(answer) = as_another_account(|| says(data, &asks)) else { return };
    assert_eq!((refused, answer), (Some(std::io::ErrorKind::PermissionDenied), Vec::new()));
    assert_eq!(host.store().acts(0).wait().unwrap().len(), 0);
    assert!(says(data, &asks).len() > 2, "this account's process is answered");
}

#[test]
fn another_account_s_process_is_not_taken_for_the_owner() {
    let folder = TempDir::new().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let socket = folder.path().join("control.sock");
    let Some(_listener) = as_another_account(|| UnixListener::bind(&socket).unwrap()) else { return };
    let connected = ControlClient::connect(folder.path());
    assert!(matches!(connected, Err(ControlError::Stranger(61_234))), "{connected:?}");
}

#[test]
fn nonsense_on_the_socket_does_nothing_and_harms_no_other_client() {
    let (folder, host) = new_host();
    let _control = host.listen().unwrap();
    let framed = |text: &[u8]| {
        let length = u32::try_from(text.len()).unwrap().to_be_bytes();
        [&[0, 2][..], &length, text, &[0; 4]].concat()
    };
    assert_eq!(says(folder.path(), b""), [0, 2]);
    assert_eq!(says(folder.path(), &[0, 99, 0, 0, 0, 2, b'{', b'}', 0, 0, 0, 0]), [0, 2], "another version");
    assert_eq!(says(folder.path(), &[0, 2, 0xff, 0xff, 0xff, 0xff]), [0, 2], "longer than anything");
    assert_eq!(says(folder.path(), &framed(b"{}")[..9]), [0, 2], "cut");
    for text in ["{}", "", "[]", r#"{"operation":"drop-everything"}"#, "\u{1b}[2J"] {
        let answer = says(folder.path(), &framed(text.as_bytes()));
        assert!(String::from_utf8_lossy(&answer).contains("this is no operation"), "{text}");
    }
    assert!(remote(folder.path(), &submit(None, "{}")).is_ok());
}

#[test]
fn an_owner_of_another_version_is_told_apart() {
    let folder = TempDir::new().unwrap();
    let listener = UnixListener::bind(folder.path().join("control.sock")).unwrap();
    let other = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(&[0, 99]).unwrap();
        let mut said = Vec::new();
        stream.read_to_end(&mut said).unwrap();
    });
    let result = remote(folder.path(), &submit(None, "{}"));
    assert!(matches!(result, Err(ControlError::Version { found: 99 })), "{result:?}");
    other.join().unwrap();
}

#[test]
fn a_socket_that_was_left_behind_and_a_long_way_to_it_are_no_obstacles() {
    let parent = TempDir::new().unwrap();
    let folder = parent.path().join("a-long-way-".repeat(20)).join("and-further");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("control.sock"), "left behind").unwrap();
    let host = Host::builder(&folder).open().unwrap();
    let _control = host.listen().unwrap();
    assert!(remote(&folder, &submit(None, "{}")).is_ok());
}

/// Every place is taken by a caller that never completes its request.
#[test]
fn slow_callers_keep_no_command_out_and_do_not_delay_the_end() {
    let (folder, host) = new_host();
    let control = host.listen().unwrap();
    let slow: Vec<_> = (0..256)
        .map(|_| {
            let mut stream = UnixStream::connect(folder.path().join("control.sock")).unwrap();
            stream.write_all(&[0, 2, 0, 0x7f, 0xff, 0xff, b'{']).unwrap();
            stream
        })
        .collect();
    for id in ["a", "b"] {
        assert!(remote(folder.path(), &submit(Some(id), "{}")).is_ok(), "{id}");
    }
    // One sends a byte at a time, without end, until the owner closes the connection.
    let mut dripping = slow.last().unwrap().try_clone().unwrap();
    let drips = std::thread::spawn(move || while dripping.write_all(b" ").is_ok() {});
    drop(control);
    drips.join().unwrap();
}

#[test]
fn a_command_asks_the_owner_where_there_is_one() {
    let (folder, host) = new_host();
    let freeze = ["freeze", "--reason", "fire drill"];
    let alone = cli::run(folder.path(), &freeze);
    assert_eq!(alone.code, Some(1), "{}", alone.stderr);
    assert!(alone.stderr.contains("in use by another pp-host"), "{}", alone.stderr);
    let control = host.listen().unwrap();
    let asked = cli::run(folder.path(), &freeze);
    assert_eq!(asked.code, Some(0), "{}", asked.stderr);
    assert_eq!(host.store().acts(0).wait().unwrap().len(), 1);
    drop((control, host));
    let thawed = cli::run(folder.path(), &["thaw", "--reason", "over"]);
    assert_eq!(thawed.code, Some(0), "{}", thawed.stderr);
    let host = Host::builder(folder.path()).open().unwrap();
    assert_eq!(host.store().acts(0).wait().unwrap().len(), 2);
}

#[test]
fn a_second_owner_is_refused() {
    let (folder, host) = new_host();
    let second = Host::builder(folder.path()).open();
    assert!(matches!(second, Err(engine::Error::Store(StoreError::Folder(FolderError::Locked(_))))));
    drop(host);
    assert!(Host::builder(folder.path()).open().is_ok());
}

fn freeze(reason: &str) -> Operation {
    Operation::RecordAct { act: Act::Frozen { tenant: None, reason: reason.to_owned() } }
}

#[test]
fn the_recorded_name_is_the_account_that_the_system_reports() {
    let (folder, host) = new_host();
    let _control = host.listen().unwrap();
    ControlClient::connect(folder.path()).unwrap().operate(&freeze("incident")).unwrap();
    let acts = host.store().acts(0).wait().unwrap();
    let said: RecordedTrustAct = serde_json::from_str(&acts.last().unwrap().body).unwrap();
    assert_eq!(said.by, Account::own().as_str());
    // The caller sets the environment, so it does not count.
    let data = TempDir::new().unwrap();
    assert_eq!(cli::run(data.path(), &["run", "tests/guests/paces.wasm"]).code, Some(0));
    let ran = cli::command(data.path(), &["freeze", "--reason", "x"])
        .env("USER", "somebody-else")
        .output()
        .unwrap();
    assert!(ran.status.success());
    let audit = cli::run(data.path(), &["audit"]).stdout;
    assert!(!audit.contains("somebody-else"), "{audit}");
}

#[test]
fn words_through_the_control_socket_are_bounded() {
    let (folder, host) = new_host();
    let _control = host.listen().unwrap();
    let refused = ControlClient::connect(folder.path()).unwrap().operate(&freeze(&"x".repeat(1 << 20)));
    let Err(ControlError::Refused(message)) = refused else { unreachable!("{refused:?}") };
    assert!(message.contains("at most 4096 are kept"), "{message}");
    assert!(host.store().acts(0).wait().unwrap().is_empty());
    let key = support::start(&host, "tenant-workflow", "{}");
    let handling = InstanceCommand::Terminate { reason: Some("x".repeat(1 << 20)) };
    let refused = ControlClient::connect(folder.path())
        .unwrap()
        .operate(&Operation::ControlInstance { key: key.clone(), handling });
    assert!(matches!(refused, Err(ControlError::Refused(_))));
    assert_eq!(host.audit(Some(&key)).unwrap().len(), 2, "it was created, and nothing else");
}
