//! This host among others over the same store.

use crate::{Error, ids};
use receipt::Digest;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use store::{DataFolder, FolderError, HostId, HostInfo, HostSigner, Hosts, Store, StoreError};

/// Puts this host on record. Refused if another host has private keys of its own, unless this one has the same.
pub(crate) fn register(
    store: &dyn Store,
    folder: &DataFolder,
    signer: HostSigner,
) -> Result<HostInfo, Error> {
    let id = folder.host_id(fresh()?)?;
    let (version, place) = (env!("CARGO_PKG_VERSION").to_owned(), place(folder.path())?);
    let host = HostInfo { id, name: name(), version, signer, place };
    check_keys(&store.hosts().wait()?, &host)?;
    store.register(&host).wait()?;
    // If two hosts register at the same moment, each sees the other now.
    check_keys(&store.hosts().wait()?, &host)?;
    Ok(host)
}

/// Hosts with private keys of their own must have the same keys: the other gates would refuse receipts under different
/// ones. That includes hosts that are gone, whose receipts may be unspent. With an authority, only the live hosts
/// matter: earlier ones left their receipts to the authority.
fn check_keys(hosts: &Hosts, host: &HostInfo) -> Result<(), Error> {
    let other = hosts.hosts.iter().filter(|record| record.host.id != host.id).find(|record| {
        match (host.signer, record.host.signer) {
            (HostSigner::Own(own), HostSigner::Own(theirs) | HostSigner::Authority(theirs)) => own != theirs,
            (HostSigner::Authority(own), HostSigner::Own(theirs)) => record.is_alive && own != theirs,
            // Two authorities have two pasts, which the acts on record show.
            (HostSigner::Authority(_), HostSigner::Authority(_)) => false,
        }
    });
    other.map_or(Ok(()), |record| {
        Err(Error::KeySetMismatch(format!("{} ({})", record.host.id, record.host.name)))
    })
}

fn fresh() -> Result<HostId, Error> {
    let digest = Digest::of(&ids::random_bytes()?).to_string();
    let id = digest.get(..16).unwrap_or_default();
    format!("host-{id}").parse().map_err(|error: store::UnknownHostId| Error::Internal(error.to_string()))
}

/// The folder on this machine since the machine was started: one process at a time has it, by its lock. A copy of the folder is another place, and so is the
/// folder on another machine that shares its file system.
fn place(folder: &Path) -> Result<String, Error> {
    let failed = |error| StoreError::from(FolderError::Unusable { path: folder.to_owned(), error });
    let found = std::fs::metadata(folder.join("lock")).map_err(failed)?;
    // Without the machine's id, each process is a place of its own: it waits for the end of the claims of the process before it.
    let boot = match std::fs::read_to_string("/proc/sys/kernel/random/boot_id") {
        Ok(boot) => boot,
        Err(_) => Digest::of(&ids::random_bytes()?).to_string(),
    };
    let place = format!("{} {} {}", boot.trim(), found.dev(), found.ino());
    Ok(Digest::of(place.as_bytes()).to_string())
}

/// The machine's name and this process there.
fn name() -> String {
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let machine = if machine.trim().is_empty() { "localhost" } else { machine.trim() };
    format!("{machine}:{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;
    use receipt::Timestamp;
    use store::{HostRecord, Replication};

    fn host(id: &str, signer: HostSigner) -> HostInfo {
        HostInfo {
            id: id.parse().unwrap(),
            name: "a:1".to_owned(),
            version: String::new(),
            signer,
            place: String::new(),
        }
    }

    #[test]
    fn hosts_that_sign_themselves_have_the_same_keys() {
        let [a, b] = [Digest::of(b"a"), Digest::of(b"b")];
        let refused = |other: HostSigner, is_alive, own: HostSigner| {
            let record = HostRecord {
                host: host("other", other),
                shards: 0,
                last_seen: Timestamp::from_millis(0),
                is_alive,
            };
            let hosts = Hosts { hosts: vec![record], replication: Replication::None };
            check_keys(&hosts, &host("own", own)).is_err()
        };
        assert!(refused(HostSigner::Own(a), true, HostSigner::Own(b)));
        assert!(refused(HostSigner::Own(a), false, HostSigner::Own(b)), "its receipts are still there");
        assert!(refused(HostSigner::Authority(a), true, HostSigner::Own(b)));
        assert!(refused(HostSigner::Own(a), true, HostSigner::Authority(b)));
        assert!(!refused(HostSigner::Own(a), false, HostSigner::Authority(b)));
        assert!(!refused(HostSigner::Own(a), true, HostSigner::Own(a)));
        assert!(!refused(HostSigner::Authority(a), true, HostSigner::Authority(b)));
        let hosts = Hosts { hosts: Vec::new(), replication: Replication::None };
        check_keys(&hosts, &host("own", HostSigner::Own(a))).unwrap();
    }
}
