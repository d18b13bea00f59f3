//! An attacker with the data folder, or with the machine's clock.

pub(crate) mod planted;

use crate::fixture::{Fixture, Setup, VICTIM, tamper, target};
use crate::{Attack, Attacker, Ending, Method, Refusal, SetupError};
use engine::Host;
use engine::issuer::Keyring;
use receipt::{Decision, KeyStatus};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use store::InstanceKey;
use workflow::Check;

pub(crate) fn attacks() -> Vec<Attack> {
    vec![
        folder(
            "revoked-key",
            "Uses an approval whose key has been revoked since.",
            Refusal::Gate(Check::Verification),
            revoked_key,
        ),
        folder(
            "clock-set-back",
            "Sets the clock back an hour, to revive an approval that has expired.",
            Refusal::Gate(Check::Expiry),
            clock_set_back,
        ),
        folder(
            "rewound-journal",
            "Resets a journal to before the deployment, and continues.",
            Refusal::Words("it exists once"),
            rewound,
        ),
        folder(
            "unspent-receipt",
            "Acts without spending the receipt, by an entry written into the journal.",
            Refusal::Words("is damaged"),
            unspent,
        ),
        folder(
            "swapped-component",
            "Stores other bytes under a component's digest.",
            Refusal::Words("other bytes than it was stored with"),
            swapped,
        ),
        folder(
            "readable-key",
            "Lets every account read the issuer's key.",
            Refusal::Words("so others can read it"),
            |fixture| {
                reopened(fixture, |data| {
                    Ok(fs::set_permissions(private_key(data)?, fs::Permissions::from_mode(0o644))?)
                })
            },
        ),
        folder(
            "swapped-key",
            "Stores another private key under the id of the issuer's key.",
            Refusal::Words("is not the"),
            swapped_key,
        ),
    ]
    .into_iter()
    .chain(more_attacks())
    .collect()
}

/// On the folder's other files, or on replacements of the keys and the journal.
fn more_attacks() -> Vec<Attack> {
    vec![
        folder(
            "foreign-database",
            "Replaces the journal with another file.",
            Refusal::Words("is not a database of pp-host"),
            |fixture| {
                reopened(fixture, |data| {
                    Ok(fs::write(data.join("journal.sqlite"), "decision APPROVED\n".repeat(100))?)
                })
            },
        ),
        folder(
            "open-lock",
            "Opens the lock file of a folder that others may read, to keep its owner out.",
            Refusal::Words("0600"),
            |fixture| {
                let lock = fixture.data().join("lock");
                let reopened = fixture.reopened(|data| {
                    fs::set_permissions(data, fs::Permissions::from_mode(0o755))?;
                    Ok(fs::set_permissions(data.join("lock"), fs::Permissions::from_mode(0o644))?)
                })??;
                let mode = fs::metadata(lock)?.permissions().mode() & 0o777;
                drop(reopened);
                Ok(Ending::check(mode == 0o600, format!("the lock's mode is {mode:04o}")))
            },
        ),
        folder(
            "writable-folder",
            "Lets every account put files into the data folder.",
            Refusal::Words("lets other accounts change it"),
            |fixture| {
                reopened(fixture, |data| Ok(fs::set_permissions(data, fs::Permissions::from_mode(0o777))?))
            },
        ),
        folder(
            "writable-keys",
            "Lets every account put keys into the folder of the keys.",
            Refusal::Words("lets other accounts change it"),
            |fixture| {
                reopened(fixture, |data| {
                    Ok(fs::set_permissions(data.join("keys"), fs::Permissions::from_mode(0o777))?)
                })
            },
        ),
        folder(
            "two-hosts",
            "Opens a data folder that a host is using.",
            Refusal::Words("is in use by another pp-host"),
            |fixture| Ok(Ending::of(Host::builder(fixture.data()).open().map(|_| "a second host"))),
        ),
    ]
}

fn folder(
    name: &'static str,
    tries: &'static str,
    refusal: Refusal,
    method: fn(Fixture) -> Result<Ending, SetupError>,
) -> Attack {
    Attack { name, tries, attacker: Attacker::Operator, refusal, method: Method::Alone(Setup::tight, method) }
}

/// Whether a host opens again after its folder was changed.
fn reopened(fixture: Fixture, meanwhile: fn(&Path) -> Result<(), SetupError>) -> Result<Ending, SetupError> {
    Ok(Ending::of(fixture.reopened(meanwhile)?.map(|_| "the host opened again")))
}

fn revoked_key(fixture: Fixture) -> Result<Ending, SetupError> {
    let (key, genuine) = fixture.approved(VICTIM)?;
    let revoked = fixture.reopened(|data| {
        let (keys, seed) = (data.join("keys"), engine::random_bytes()?);
        Keyring::rotate(&keys, receipt::Scope::Demo, &seed, receipt::Timestamp::from_millis(1))?;
        Ok(Keyring::revoke(&keys, &genuine.artifact.key_id, receipt::Timestamp::from_millis(2))?)
    })??;
    revoked.ran(&key)
}

fn clock_set_back(fixture: Fixture) -> Result<Ending, SetupError> {
    let (key, _) = fixture.approved(VICTIM)?;
    fixture.move_clock(16);
    // An entry is recorded sixteen minutes later.
    fixture.victim()?;
    fixture.move_clock(-60);
    fixture.ran(&key)
}

/// All entries about the deployment are removed from the journal; the record of deployments still has it.
fn rewound(fixture: Fixture) -> Result<Ending, SetupError> {
    let (key, receipt) = fixture.approved(VICTIM)?;
    fixture.finish(&key, Decision::Approved)?;
    tamper::rewrite(&fixture, "DELETE FROM redemptions WHERE receipt = ?1", [receipt.id.as_str()])?;
    tamper::rewrite(&fixture, "DELETE FROM attestations WHERE receipt = ?1", [receipt.id.as_str()])?;
    let tail =
        "DELETE FROM entries WHERE seq >= (SELECT min(row) FROM facts WHERE body ->> 'fact' = 'redeemed')";
    tamper::rewrite(&fixture, tail, [])?;
    tamper::rewrite(
        &fixture,
        "UPDATE instances SET last = (SELECT max(seq) FROM entries WHERE instance = instances.id)",
        [],
    )?;
    let status = fixture.finish(&key, Decision::Approved)?;
    let deployments = target::recorded(&fixture.data())?.len();
    let words = format!("{deployments} deployment after both runs: it exists once ({status:?})");
    Ok(Ending::check(deployments == 1, words))
}

fn unspent(fixture: Fixture) -> Result<Ending, SetupError> {
    let (key, receipt) = fixture.approved(VICTIM)?;
    let performed = serde_json::json!({
        "fact": "performed", "call": 2, "receipt": receipt.id, "effect": { "outcome": "unknown", "message": "" }
    });
    tamper::add_fact(&fixture, &key, &performed.to_string())?;
    driven(&fixture, &key)
}

fn swapped(fixture: Fixture) -> Result<Ending, SetupError> {
    let (key, _) = fixture.approved(VICTIM)?;
    tamper::rewrite(&fixture, "UPDATE components SET bytes = X'0061736d0d000100'", [])?;
    driven(&fixture.reopened(|_| Ok(()))??, &key)
}

fn driven(fixture: &Fixture, key: &InstanceKey) -> Result<Ending, SetupError> {
    Ok(Ending::of(fixture.drive(key).map(|status| format!("{status:?}"))))
}

fn swapped_key(fixture: Fixture) -> Result<Ending, SetupError> {
    let other = Fixture::new(Setup::tight())?;
    let other = private_key(&other.data())?;
    let swapped = fixture.reopened(|data| Ok(fs::copy(other, private_key(data)?).map(drop)?))?;
    Ok(Ending::of::<&str>(swapped.map(|_| "the host opened again")))
}

/// The file of the key that signs.
fn private_key(data: &Path) -> Result<PathBuf, SetupError> {
    let folder = data.join("keys");
    let keys = Keyring::public(&folder)?;
    let active = keys.keys().find(|key| key.status == KeyStatus::Active).ok_or("no active key")?;
    Ok(folder.join(format!("{}.pem", active.key_id)))
}
