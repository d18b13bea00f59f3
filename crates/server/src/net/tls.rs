//! TLS of the server, which reloads a renewed certificate, and of the client for webhooks. Both use the provider ring.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use store::ownership;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, Error, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// The files of a server's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate with its chain, as PEM.
    pub certificate: PathBuf,
    /// The private key, as PEM.
    pub key: PathBuf,
}

/// A certificate or a key that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {problem}", file.display())]
pub struct TlsError {
    file: PathBuf,
    problem: String,
}

/// The properties that show that a file has changed. A changed mode or owner changes only the time of the inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Version {
    inode: u64,
    written: (i64, i64),
    changed: (i64, i64),
    size: u64,
}

/// The certificate in use, and its files.
pub(crate) struct Tls {
    files: TlsFiles,
    current: Mutex<Current>,
}

struct Current {
    config: Arc<ServerConfig>,
    /// The versions of the files that the certificate in use was read from.
    versions: [Option<Version>; 2],
    /// Why others cannot be used, until they can.
    problem: Option<TlsError>,
}

impl Tls {
    /// Reads the files.
    pub(crate) fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let versions = files.versions();
        let config = files.read()?;
        Ok(Self { files, current: Mutex::new(Current { config, versions, problem: None }) })
    }

    /// An acceptor with the certificate in use.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.lock().config))
    }

    /// Reads the files again while they are others than those in use, and returns whether it took them up. If they cannot be used, the certificate
    /// in use stays; the same problem is an error once.
    pub(crate) fn reload(&self) -> Result<bool, TlsError> {
        let versions = self.files.versions();
        if self.lock().versions == versions {
            self.lock().problem = None;
            return Ok(false);
        }
        let read = self.files.read();
        let mut current = self.lock();
        match read {
            Ok(config) => {
                *current = Current { config, versions, problem: None };
                Ok(true)
            }
            Err(problem) if current.problem.as_ref() == Some(&problem) => Ok(false),
            Err(problem) => {
                current.problem = Some(problem.clone());
                Err(problem)
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").field(&self.files).finish()
    }
}

impl TlsFiles {
    fn versions(&self) -> [Option<Version>; 2] {
        [&self.certificate, &self.key].map(|file| {
            let found = fs::metadata(file).ok()?;
            Some(Version {
                inode: found.ino(),
                written: (found.mtime(), found.mtime_nsec()),
                changed: (found.ctime(), found.ctime_nsec()),
                size: found.size(),
            })
        })
    }

    fn read(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let failed = |file: &Path, problem: String| TlsError { file: file.to_owned(), problem };
        let certificates =
            certificates(&self.certificate).map_err(|problem| failed(&self.certificate, problem))?;
        let of_key = |problem: String| failed(&self.key, problem);
        let text = read_key(&self.key).map_err(|error| of_key(error.to_string()))?;
        let key = PrivateKeyDer::from_pem_slice(&text)
            .map_err(|error| of_key(format!("there is no private key in PEM in it: {error}")))?;
        let builder = ServerConfig::builder_with_provider(provider());
        let builder =
            builder.with_safe_default_protocol_versions().map_err(|error| of_key(error.to_string()))?;
        let config = builder.with_no_client_auth().with_single_cert(certificates, key);
        let mut config = config.map_err(|error| match error {
            Error::InconsistentKeys(_) => {
                of_key(format!("it is not the key of the certificate in {}", self.certificate.display()))
            }
            other => of_key(other.to_string()),
        })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

/// Reads a private key that other accounts cannot read. Its group may: certificates are often renewed by another account.
fn read_key(file: &Path) -> io::Result<Vec<u8>> {
    const OTHERS: u32 = 0o007;
    let mut file = File::open(file)?;
    let found = file.metadata()?;
    ownership::check(&found)?;
    if found.mode() & OTHERS != 0 {
        let mode = found.mode() & 0o7777;
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("its mode {mode:04o} lets every account read it: chmod o-rwx it"),
        ));
    }
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    Ok(text)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = fs::read(file).map_err(|error| error.to_string())?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let certificates = read.map_err(|error| format!("it is not PEM: {error}"))?;
    match certificates.is_empty() {
        true => Err("there is no certificate in PEM in it".to_owned()),
        false => Ok(certificates),
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// A client that verifies a server's certificate: by the certificates in a file, or by those that the system trusts.
pub(crate) fn connector(roots: Option<&Path>) -> Result<TlsConnector, String> {
    let mut store = RootCertStore::empty();
    match roots {
        Some(file) => {
            let named = |problem| format!("ca-file: {}: {problem}", file.display());
            for certificate in certificates(file).map_err(named)? {
                store.add(certificate).map_err(|error| named(error.to_string()))?;
            }
        }
        None => {
            // The system may have roots that this library does not accept.
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if store.is_empty() {
        return Err("the system has no root certificates: name a file of them with ca-file".to_owned());
    }
    let builder = ClientConfig::builder_with_provider(provider());
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
    let config = builder.with_root_certificates(store).with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
