//! The one place in this workspace with `unsafe` code.
//!
//! Compiled code is machine code: a party that chooses its bytes runs code as this process. So the function that loads
//! it accepts only [`Trusted`] bytes, which have two sources: the compiler, which has just compiled a component, or a
//! file of the cache that was verified under its key.

use hmac::{Hmac, KeyInit as _, Mac as _};
use receipt::Digest;
use sha2::Sha256;
use wasmtime::Engine;
use wasmtime::component::Component;

/// The identity of the code in a file. The file's MAC covers all of it, so a file under another name is a forgery.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Label<'a> {
    /// The runtime's version.
    pub(crate) runtime: &'a str,
    /// The digest of everything else that changes compiled code.
    pub(crate) config: &'a Digest,
    /// The component's sha256.
    pub(crate) component: &'a Digest,
}

/// Compiled code that may be loaded.
#[derive(Debug)]
pub(crate) struct Trusted {
    sealed: Vec<u8>,
    start: usize,
}

/// The length of a seal.
const SEAL: usize = 32;

/// The block of the seal's hash.
const BLOCK: usize = 64;

/// The cache's key: 32 random bytes that only the owner of the data folder can read.
pub(crate) struct Key([u8; SEAL]);

impl Key {
    pub(crate) fn new(bytes: [u8; SEAL]) -> Self {
        Self(bytes)
    }

    /// The file for `code`: its seal, then the code.
    pub(crate) fn seal(&self, label: Label<'_>, code: &Trusted) -> Vec<u8> {
        self.seal_bytes(label, code.code())
    }

    /// [`Self::seal`], for bytes that are not machine code. Their label says so, and sealed bytes with such a label are
    /// never loaded as code.
    pub(crate) fn seal_bytes(&self, label: Label<'_>, bytes: &[u8]) -> Vec<u8> {
        let seal = self.mac(label, bytes).finalize().into_bytes();
        [&*seal, bytes].concat()
    }

    /// The bytes in a file, if the file was sealed under this key and label.
    pub(crate) fn open_bytes(&self, label: Label<'_>, file: &[u8]) -> Option<Vec<u8>> {
        let (seal, bytes) = file.split_at_checked(SEAL)?;
        self.mac(label, bytes).verify_slice(seal).ok()?;
        Some(bytes.to_vec())
    }

    /// The code in a file, if the file was sealed under this key and label.
    pub(crate) fn open(&self, label: Label<'_>, file: Vec<u8>) -> Option<Trusted> {
        let (seal, code) = file.split_at_checked(SEAL)?;
        self.mac(label, code).verify_slice(seal).ok()?;
        Some(Trusted { sealed: file, start: SEAL })
    }

    fn mac(&self, label: Label<'_>, code: &[u8]) -> Hmac<Sha256> {
        // A key shorter than the hash's block is padded with zeros; that is HMAC's own rule.
        let mut block = [0; BLOCK];
        block[..SEAL].copy_from_slice(&self.0);
        let mut mac = Hmac::<Sha256>::new(&block.into());
        let (config, component) = (label.config.to_string(), label.component.to_string());
        for part in ["pp-cwasm/v1", label.runtime, &config, &component] {
            mac.update(part.as_bytes());
            mac.update(&[0]);
        }
        mac.update(&(code.len() as u64).to_be_bytes());
        mac.update(&[0]);
        mac.update(code);
        mac
    }
}

impl Trusted {
    /// Vouches for code that the compiler has just returned, in this process or in a child that this process started.
    pub(crate) fn compiled_just_now(code: Vec<u8>) -> Self {
        Self { sealed: code, start: 0 }
    }

    fn code(&self) -> &[u8] {
        &self.sealed[self.start..]
    }

    /// Deserializes the component.
    #[expect(
        unsafe_code,
        reason = "the runtime cannot check compiled code; this type does, by where it comes from"
    )]
    pub(crate) fn load(&self, engine: &Engine) -> wasmtime::Result<Component> {
        // SAFETY: `deserialize` requires unchanged bytes of `Engine::precompile_component`. Both constructors of this
        // type ensure that: the compiler's output as it came, or bytes under a MAC that was made over such output with
        // a key that only processes of this account can read. The bytes were read into memory of our own before they
        // were verified, so they cannot change in between. `deserialize` itself checks that they fit this engine.
        unsafe { Component::deserialize(engine, self.code()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test cases 1 and 2.
    #[test]
    fn the_mac_is_the_standard_s() {
        let of = |key: &[u8], data: &[u8]| {
            let mut block = [0; BLOCK];
            block[..key.len()].copy_from_slice(key);
            let mut mac = Hmac::<Sha256>::new(&block.into());
            mac.update(data);
            Digest::from_bytes(mac.finalize().into_bytes().into()).to_string()
        };
        assert_eq!(
            of(&[0x0b; 20], b"Hi There"),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
        assert_eq!(
            of(b"Jefe", b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn a_seal_opens_with_its_own_key_and_label_only() {
        let (ours, other) = (Digest::of(b"ours"), Digest::of(b"other"));
        let label = Label { runtime: "1.0.0", config: &ours, component: &ours };
        let key = Key::new([1; SEAL]);
        let file = key.seal(label, &Trusted::compiled_just_now(b"code".to_vec()));
        assert_eq!(key.open(label, file.clone()).unwrap().code(), b"code");
        assert!(Key::new([2; SEAL]).open(label, file.clone()).is_none());
        for label in [
            Label { runtime: "1.0.1", ..label },
            Label { config: &other, ..label },
            Label { component: &other, ..label },
        ] {
            assert!(key.open(label, file.clone()).is_none(), "{label:?}");
        }
    }

    #[test]
    fn no_byte_of_a_file_can_be_changed_or_left_out() {
        let digest = Digest::of(b"");
        let label = Label { runtime: "1.0.0", config: &digest, component: &digest };
        let key = Key::new([1; SEAL]);
        let file = key.seal(label, &Trusted::compiled_just_now(b"machine code".to_vec()));
        for position in 0..file.len() {
            for bit in 0..8 {
                let mut damaged = file.clone();
                damaged[position] ^= 1 << bit;
                assert!(key.open(label, damaged).is_none(), "bit {bit} of byte {position}");
            }
            assert!(key.open(label, file[..position].to_vec()).is_none(), "cut to {position}");
        }
        assert!(key.open(label, [&*file, b"\0"].concat()).is_none());
    }
}
