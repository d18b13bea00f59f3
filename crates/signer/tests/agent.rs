//! A real ssh-agent, from the socket to a signature that others verify.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use signer::{Agent, AgentError, DeciderKey, Kind, PublicKey, Timeouts};
use tempfile::TempDir;

use crate::common::{PASSPHRASE, alice, fixture, folder, have, open, place, set_mode};
use crate::openssl;

/// An agent of its own, which ends with the test.
struct RealAgent {
    folder: TempDir,
    process: Child,
}

impl RealAgent {
    /// Starts an agent that asks its owner by running `answer`. `None` where there is no OpenSSH; a message says so.
    fn start(answer: &str) -> Option<Self> {
        if !have(&["ssh-agent", "ssh-add"]) {
            return None;
        }
        let folder = folder();
        let mut command = Command::new("ssh-agent");
        command.arg("-D").arg("-a").arg(folder.path().join("socket"));
        command.env("SSH_ASKPASS", answer).env("SSH_ASKPASS_REQUIRE", "force").env("DISPLAY", ":0");
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        // It prints where it listens once it does.
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("SSH_AUTH_SOCK="), "{line}");
        Some(Self { folder, process })
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    fn ssh_add(&self, arguments: &[&str]) {
        let askpass = place(&self.folder, "askpass", format!("#!/bin/sh\necho '{PASSPHRASE}'\n"));
        set_mode(&askpass, 0o700);
        let mut command = Command::new("ssh-add");
        command.args(arguments).env("SSH_AUTH_SOCK", self.socket());
        command.env("SSH_ASKPASS", askpass).env("SSH_ASKPASS_REQUIRE", "force").env("DISPLAY", ":0");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn add(&self, name: &str, options: &[&str]) {
        let path = place(&self.folder, name, fixture(name));
        self.ssh_add(&[options, &[path.to_str().unwrap()]].concat());
    }

    fn agent(&self) -> Agent {
        Agent::at(&self.socket(), Timeouts::USUAL)
    }
}

impl Drop for RealAgent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn an_agent_signs_and_others_verify() {
    let Some(real) = RealAgent::start("/bin/false") else { return };
    real.add("openssh-rsa", &[]);
    real.add("openssh", &[]);
    real.add("openssh-encrypted", &[]);
    let key = DeciderKey::Agent(real.agent().key(&alice()).unwrap());
    assert_eq!(key.public_key(), alice().to_bytes());
    let long = vec![b'm'; 200_000];
    for message in [b"".as_slice(), b"DSSEv1 28 application/vnd.in-toto+json 2 {}", &long] {
        let signature = key.sign(message).unwrap();
        assert!(alice().verifies(message, &signature));
        let verifying = ed25519_dalek::VerifyingKey::from_bytes(&alice().to_bytes()).unwrap();
        verifying.verify_strict(message, &signature.into()).unwrap();
        if have(&["openssl"]) && !message.is_empty() {
            assert!(openssl::verifies(&alice(), message, &signature));
            assert!(!openssl::verifies(&alice(), b"another message", &signature));
        }
        // Ed25519 has one signature for a key and a message, whichever program signs.
        let folder = folder();
        let file = DeciderKey::File(open(&place(&folder, "key", fixture("openssh"))).unwrap());
        assert_eq!(file.sign(message).unwrap(), signature);
    }
}

#[test]
fn an_agent_lists_what_it_holds() {
    let Some(real) = RealAgent::start("/bin/false") else { return };
    assert_eq!(real.agent().identities().unwrap(), []);
    real.add("openssh-rsa", &[]);
    real.add("openssh", &[]);
    let identities = real.agent().identities().unwrap();
    let kinds = identities.iter().map(|identity| identity.kind.clone()).collect::<Vec<_>>();
    assert_eq!(kinds, [Kind::Rsa, Kind::Ed25519]);
    assert_eq!((identities[0].key, identities[1].key), (None, Some(alice())));
    assert_eq!(identities[1].fingerprint, alice().fingerprint());
    assert_eq!(identities[1].comment, "alice@example");
    let listed = Command::new("ssh-add").arg("-l").env("SSH_AUTH_SOCK", real.socket()).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(identities.iter().all(|identity| listed.contains(&identity.fingerprint)), "{listed}");
}

#[test]
fn a_key_that_is_not_there_says_what_is() {
    let Some(real) = RealAgent::start("/bin/false") else { return };
    let wanted = PublicKey::parse(&fixture("openssh-encrypted.pub")).unwrap();
    let error = real.agent().key(&wanted).unwrap_err();
    assert!(error.to_string().contains("it holds none; add it with ssh-add"), "{error}");
    real.add("openssh", &[]);
    let error = real.agent().key(&wanted).unwrap_err();
    assert!(matches!(&error, AgentError::KeyNotThere { present, .. } if present.len() == 1), "{error}");
    let held = format!("it holds {} \"alice@example\" (Ed25519)", alice().fingerprint());
    assert!(
        error.to_string().contains(&held) && error.to_string().contains(&wanted.fingerprint()),
        "{error}"
    );
}

#[test]
fn a_person_who_says_no_is_a_refusal_and_one_who_says_yes_a_signature() {
    for (answer, signs) in [("/bin/false", false), ("/bin/true", true)] {
        let Some(real) = RealAgent::start(answer) else { return };
        real.add("openssh", &["-c"]);
        let signed = real.agent().key(&alice()).unwrap().sign(b"message");
        match signed {
            Ok(signature) => assert!(signs && alice().verifies(b"message", &signature)),
            Err(error) => assert!(!signs && matches!(error, AgentError::Refused), "{error}"),
        }
    }
}

#[test]
fn a_key_that_is_taken_away_signs_no_more() {
    let Some(real) = RealAgent::start("/bin/false") else { return };
    real.add("openssh", &[]);
    let key = real.agent().key(&alice()).unwrap();
    key.sign(b"message").unwrap();
    real.ssh_add(&["-x"]);
    assert!(matches!(key.sign(b"message").unwrap_err(), AgentError::Refused), "locked");
    assert!(matches!(real.agent().key(&alice()).unwrap_err(), AgentError::KeyNotThere { .. }), "locked");
    real.ssh_add(&["-X"]);
    key.sign(b"message").unwrap();
    real.ssh_add(&["-D"]);
    assert!(matches!(key.sign(b"message").unwrap_err(), AgentError::Refused), "removed");
}

#[test]
fn a_message_that_no_agent_takes_is_not_sent() {
    let Some(real) = RealAgent::start("/bin/false") else { return };
    real.add("openssh", &[]);
    let key = real.agent().key(&alice()).unwrap();
    let error = key.sign(&vec![0; 256 * 1024]).unwrap_err();
    assert!(matches!(error, AgentError::TooLong { limit: 262_144, .. }), "{error}");
}

#[test]
fn where_no_agent_is_the_error_says_so() {
    let folder = folder();
    let timeout = Timeouts { list: Duration::from_secs(5), ..Timeouts::USUAL };
    let missing = folder.path().join("missing");
    let file = place(&folder, "file", "");
    let deserted = folder.path().join("deserted");
    drop(UnixListener::bind(&deserted).unwrap());
    // A child process that another test starts has a copy of the listener until it executes its program.
    while UnixStream::connect(&deserted).is_ok() {
        thread::yield_now();
    }
    let too_long = PathBuf::from(format!("/{}", "x".repeat(200)));
    for socket in [&missing, &file, &deserted, &too_long, Path::new("")] {
        let error = Agent::at(socket, timeout).identities().unwrap_err();
        assert!(matches!(error, AgentError::Connect { .. }), "{error}");
        assert!(error.to_string().contains("start one with eval"), "{error}");
    }
    assert!(fs::metadata(&deserted).is_ok());
}
