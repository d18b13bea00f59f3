//! TLS that the server itself ends: a client that verifies, renewal while it runs, and files that cannot be used.

use crate::support::cli;
use crate::support::serving::Serving;
use crate::support::tls::{CertificateAuthority, certificate};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use tempfile::TempDir;

#[test]
fn a_client_that_verifies_is_answered_and_a_renewed_certificate_is_taken_up() {
    let Some(authority) = CertificateAuthority::new() else { return };
    let data = TempDir::new().unwrap();
    let [first, second] = ["first", "second"].map(|name| authority.issue(name));
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| data.path().join(name).display().to_string());
    let replace = |(from, of_key): &(std::path::PathBuf, std::path::PathBuf)| {
        for (from, to) in [(from, &cert), (of_key, &key)] {
            fs::copy(from, format!("{to}.new")).unwrap();
            fs::rename(format!("{to}.new"), to).unwrap();
        }
    };
    replace(&first);
    let mut serving = Serving::begin(data.path(), &["--tls-cert", &cert, "--tls-key", &key]);
    let port = serving.port;
    let get = || {
        let (mut stream, shown) = authority.connect(port).unwrap();
        let head = format!("GET /readyz HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("ready\n"), "{answer}");
        shown
    };
    assert_eq!(get(), certificate(&first.0));
    // Without TLS there is no answer.
    let mut clear = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let head = format!("GET /readyz HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n");
    let _ = clear.write_all(head.as_bytes());
    let mut answer = Vec::new();
    let _ = clear.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/"), "{answer:?}");
    // A certificate for another key: the previous one stays in use.
    fs::copy(&second.0, &cert).unwrap();
    let said = serving.says("not the key of the certificate");
    assert!(said.contains("cannot renew the certificate") && said.contains("stays in use"), "{said}");
    assert_eq!(get(), certificate(&first.0));
    replace(&second);
    serving.says("the certificate was renewed");
    assert_eq!(get(), certificate(&second.0));
    fs::write(&key, "nothing").unwrap();
    serving.says("no private key in PEM");
    assert_eq!(get(), certificate(&second.0));
    serving.stop();
}

/// The way out that the message names is enough: a changed mode is a change of the file.
#[test]
fn a_renewed_key_is_taken_up_when_its_mode_is_corrected() {
    let Some(authority) = CertificateAuthority::new() else { return };
    let data = TempDir::new().unwrap();
    let [first, second] = ["first", "second"].map(|name| authority.issue(name));
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| data.path().join(name));
    let put = |(of_cert, of_key): &(std::path::PathBuf, std::path::PathBuf), mode| {
        fs::copy(of_key, &key).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        fs::copy(of_cert, &cert).unwrap();
    };
    put(&first, 0o600);
    let files = ["--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let mut serving = Serving::begin(data.path(), &files);
    put(&second, 0o644);
    serving.says("lets every account read it: chmod o-rwx it");
    let (_, shown) = authority.connect(serving.port).unwrap();
    assert_eq!(shown, certificate(&first.0));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    serving.says("the certificate was renewed");
    let (_, shown) = authority.connect(serving.port).unwrap();
    assert_eq!(shown, certificate(&second.0));
    serving.stop();
}

#[test]
fn links_and_the_page_are_https() {
    let Some(authority) = CertificateAuthority::new() else { return };
    let data = TempDir::new().unwrap();
    let (cert, key) = authority.issue("one");
    let files = ["--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let mut command =
        cli::command(data.path(), &[&["serve", "--listen", "127.0.0.1:0"][..], &files[..]].concat());
    let mut child =
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
    let link = lines.find(|line| line.as_ref().unwrap().contains("/register#")).unwrap().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(link.contains("https://localhost:"), "{link}");
}

#[test]
fn files_that_cannot_be_used_are_refused_at_the_start() {
    let Some(authority) = CertificateAuthority::new() else { return };
    let data = TempDir::new().unwrap();
    let (cert, key) = authority.issue("one");
    let (_, other) = authority.issue("other");
    let open = authority.path("open.key");
    fs::copy(&key, &open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).unwrap();
    let private = authority.path("private.crt");
    fs::copy(&cert, &private).unwrap();
    fs::set_permissions(&private, fs::Permissions::from_mode(0o600)).unwrap();
    let none = authority.path("none");
    for (cert, key, expected) in [
        (&none, &key, "No such file"),
        (&cert, &none, "No such file"),
        (&key, &key, "there is no certificate in PEM in it"),
        (&cert, &private, "there is no private key in PEM in it"),
        (&cert, &other, "it is not the key of the certificate"),
        (&cert, &open, "its mode 0644 lets every account read it: chmod o-rwx it"),
    ] {
        let files = ["--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
        let ran = cli::run(data.path(), &[&["serve", "--listen", "127.0.0.1:0"], &files[..]].concat());
        assert_eq!(ran.code, Some(1));
        assert!(ran.stderr.contains(expected), "{expected}: {}", ran.stderr);
    }
    let alone = cli::run(data.path(), &["serve", "--tls-cert", "x"]);
    assert!(alone.code == Some(2) && alone.stderr.contains("--tls-key"), "{}", alone.stderr);
}
