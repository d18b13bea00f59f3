//! Certificates of an authority of the test's own, and both ends of TLS.

use std::fs;
use std::io;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use tempfile::TempDir;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
};

/// An authority that makes certificates with the `openssl` of the system.
pub struct CertificateAuthority(TempDir);

impl CertificateAuthority {
    /// `None`, with a message, where `openssl` is not installed.
    pub fn new() -> Option<Self> {
        if !super::installed(&["openssl"]) {
            return None;
        }
        let authority = Self(TempDir::new().unwrap());
        authority.openssl(&format!("req -x509 {KEY} -keyout ca.key -out ca.crt -days 30 -subj /CN=ca"));
        Some(authority)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A certificate for `localhost`, `NAME.crt`, and its key, `NAME.key`.
    pub fn issue(&self, name: &str) -> (PathBuf, PathBuf) {
        self.openssl(&format!("req {KEY} -keyout {name}.key -out {name}.csr -subj /CN={name}"));
        fs::write(self.path("names"), "subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\n").unwrap();
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out {name}.crt -days 30 -extfile names"
        ));
        let key = self.path(&format!("{name}.key"));
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        (self.path(&format!("{name}.crt")), key)
    }

    fn openssl(&self, arguments: &str) {
        let ran =
            Command::new("openssl").current_dir(self.0.path()).args(arguments.split(' ')).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }

    /// Connects to `localhost` as a client that trusts this authority alone. The certificate that the server showed comes with it.
    pub fn connect(
        &self,
        port: u16,
    ) -> io::Result<(StreamOwned<ClientConnection, TcpStream>, CertificateDer<'static>)> {
        let mut roots = RootCertStore::empty();
        roots.add(certificate(&self.path("ca.crt"))).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap();
        let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
        let name = ServerName::try_from("localhost").unwrap();
        let mut connection = ClientConnection::new(config, name).unwrap();
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        let shown = connection.peer_certificates().unwrap()[0].clone().into_owned();
        Ok((StreamOwned::new(connection, stream), shown))
    }

    /// The server's end of a connection.
    pub fn accept(&self, name: &str, stream: TcpStream) -> StreamOwned<ServerConnection, TcpStream> {
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let key = PrivateKeyDer::from_pem_file(self.path(&format!("{name}.key"))).unwrap();
        let chain = vec![certificate(&self.path(&format!("{name}.crt")))];
        let config = Arc::new(config.with_single_cert(chain, key).unwrap());
        StreamOwned::new(ServerConnection::new(config).unwrap(), stream)
    }
}

const KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";

/// The first certificate in a file.
pub fn certificate(file: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(file).unwrap()
}
