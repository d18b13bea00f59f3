//! OpenSSH's private keys, plain and encrypted: what `ssh-keygen` writes. Described in OpenSSH's `PROTOCOL.key`.

use aes::Aes256;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit as _, StreamCipher as _};
use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

use super::error::FileErrorKind;
use crate::encoding::printable::printable;
use crate::encoding::wire::Reader;
use crate::file::passphrase::Passphrase;
use crate::public::{PublicKey, PublicKeyError, SSH_ED25519};

const MAGIC: &[u8] = b"openssh-key-v1\0";

/// About ten seconds of bcrypt. ssh-keygen uses 16 or 24 rounds by default (`-a`).
const ROUNDS_MAX: u32 = 1024;

/// An encrypted section fills whole blocks of AES. A plain one fills whole blocks of eight.
const AES_BLOCK: usize = 16;
const PLAIN_BLOCK: usize = 8;

/// Reads a key.
pub(super) fn parse(
    bytes: &[u8],
    unlock: impl FnOnce() -> Result<Passphrase, FileErrorKind>,
) -> Result<SigningKey, FileErrorKind> {
    let outer = Outer::read(bytes)?;
    // The public half is not encrypted, so it is checked before the user is asked for a passphrase.
    let public = PublicKey::from_blob(outer.public).map_err(|error| match error {
        PublicKeyError::Unsupported(unsupported) => FileErrorKind::Unsupported(unsupported),
        _ => FileErrorKind::Damaged("its public half is no Ed25519 key"),
    })?;
    let key = match Lock::of(&outer)? {
        Lock::None => inner(outer.private, FileErrorKind::Damaged("its check numbers differ"))?,
        Lock::Bcrypt { salt, rounds } => {
            let plain = decrypt(outer.private, &unlock()?, salt, rounds)?;
            inner(&plain, FileErrorKind::WrongPassphrase)?
        }
    };
    match PublicKey::of(&key) == public {
        true => Ok(key),
        false => Err(FileErrorKind::Damaged("its halves do not belong together")),
    }
}

/// The unencrypted part.
struct Outer<'a> {
    cipher: &'a [u8],
    kdf: &'a [u8],
    kdf_options: &'a [u8],
    public: &'a [u8],
    private: &'a [u8],
}

impl<'a> Outer<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, FileErrorKind> {
        let body = bytes.strip_prefix(MAGIC).ok_or(FileErrorKind::Damaged("the block is not OpenSSH's"))?;
        Self::fields(Reader::new(body))
            .ok_or(FileErrorKind::Damaged("the block is cut or has something behind it"))
    }

    fn fields(mut reader: Reader<'a>) -> Option<Self> {
        let (cipher, kdf, kdf_options) = (reader.string()?, reader.string()?, reader.string()?);
        // OpenSSH itself writes and reads one key per file, although the format allows more.
        let count = reader.number()?;
        let outer = Self { cipher, kdf, kdf_options, public: reader.string()?, private: reader.string()? };
        // A cipher that authenticates puts its tag behind all; it is refused by its name.
        let tag = reader.rest();
        (count == 1 && (tag.is_empty() || cipher.contains(&b'@'))).then_some(outer)
    }
}

/// The encryption of the private section.
enum Lock<'a> {
    None,
    Bcrypt { salt: &'a [u8], rounds: u32 },
}

impl<'a> Lock<'a> {
    fn of(outer: &Outer<'a>) -> Result<Self, FileErrorKind> {
        let block = match (outer.cipher, outer.kdf) {
            (b"none", b"none") => return Ok(Self::None),
            (b"aes256-ctr", b"bcrypt") => AES_BLOCK,
            (cipher, kdf) => {
                return Err(FileErrorKind::Encryption(format!(
                    "{} and {}",
                    printable(cipher),
                    printable(kdf)
                )));
            }
        };
        if outer.private.is_empty() || !outer.private.len().is_multiple_of(block) {
            return Err(FileErrorKind::Damaged("the encrypted part is cut"));
        }
        Self::bcrypt(outer.kdf_options)
    }

    fn bcrypt(options: &'a [u8]) -> Result<Self, FileErrorKind> {
        let mut reader = Reader::new(options);
        let (Some(salt), Some(rounds), Some(())) = (reader.string(), reader.number(), reader.end()) else {
            return Err(FileErrorKind::Damaged("the parameters of its encryption are cut"));
        };
        match rounds {
            0 => Err(FileErrorKind::Damaged("it asks for no work to try a passphrase")),
            _ if salt.is_empty() => Err(FileErrorKind::Damaged("its encryption has no salt")),
            _ if rounds > ROUNDS_MAX => Err(FileErrorKind::Work {
                asked: rounds.into(),
                limit: ROUNDS_MAX.into(),
                unit: "rounds of bcrypt",
            }),
            _ => Ok(Self::Bcrypt { salt, rounds }),
        }
    }
}

fn decrypt(
    private: &[u8],
    passphrase: &Passphrase,
    salt: &[u8],
    rounds: u32,
) -> Result<Zeroizing<Vec<u8>>, FileErrorKind> {
    let mut derived = Zeroizing::new([0; 48]);
    bcrypt_pbkdf::bcrypt_pbkdf(passphrase.as_bytes(), salt, rounds, &mut *derived)
        .map_err(|_| FileErrorKind::Damaged("the parameters of its encryption contradict each other"))?;
    let (key, counter) = derived.split_at(32);
    let mut cipher = Ctr128BE::<Aes256>::new_from_slices(key, counter)
        .map_err(|_| FileErrorKind::Damaged("the parameters of its encryption contradict each other"))?;
    let mut plain = Zeroizing::new(private.to_vec());
    cipher.apply_keystream(&mut plain);
    Ok(plain)
}

/// The key in the private section. It begins with one number twice: if the two differ, it is `gibberish`.
fn inner(section: &[u8], gibberish: FileErrorKind) -> Result<SigningKey, FileErrorKind> {
    let mut reader = Reader::new(section);
    match (reader.number(), reader.number()) {
        (Some(one), Some(other)) if one == other => {}
        _ => return Err(gibberish),
    }
    let key = inner_key(reader).filter(|_| section.len().is_multiple_of(PLAIN_BLOCK));
    key.ok_or(FileErrorKind::Damaged("its private half is no Ed25519 key"))
}

fn inner_key(mut reader: Reader<'_>) -> Option<SigningKey> {
    let (name, public, pair) = (reader.string()?, reader.array::<32>()?, reader.array::<64>()?);
    let _comment = reader.string()?;
    let padding = reader.rest();
    let padded = padding.len() < AES_BLOCK && padding.iter().zip(1..).all(|(byte, count)| *byte == count);
    let (seed, repeated) = pair.split_first_chunk::<32>()?;
    let key = SigningKey::from_bytes(seed);
    let whole = name == SSH_ED25519 && repeated == public && key.verifying_key().as_bytes() == public;
    (padded && whole).then_some(key)
}
