//! Authenticated encryption of small texts: XChaCha20-Poly1305 under random nonces, and Argon2id for passwords.

use crate::files::{read_bounded, write_durably};
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use lockstep_ports::Secret;
use std::io;
use std::path::Path;
use zeroize::Zeroizing;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
/// A salt as RFC 9106 recommends it.
pub(super) const SALT_BYTES: usize = 16;

/// A key of this host, or one that only a password gives.
pub(super) struct Key(Zeroizing<[u8; KEY_BYTES]>);

impl Key {
    /// The key in a file; none if there is no such file.
    pub(super) fn read(path: &Path) -> io::Result<Option<Self>> {
        let Some(bytes) = read_bounded(path, KEY_BYTES as u64)?.map(Zeroizing::new) else { return Ok(None) };
        match <[u8; KEY_BYTES]>::try_from(bytes.as_slice()) {
            Ok(key) => Ok(Some(Self(Zeroizing::new(key)))),
            Err(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "it is not a key of 32 bytes")),
        }
    }

    /// The key in a file that only this user can read, made now if there is none.
    pub(super) fn read_or_make(path: &Path) -> io::Result<Self> {
        if let Some(key) = Self::read(path)? {
            return Ok(key);
        }
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        random(&mut key[..])?;
        write_durably(path, &key[..])?;
        Ok(Self(key))
    }

    /// The key a password gives, which costs whoever tries passwords 19 MiB and a good part of a second each.
    pub(super) fn of_password(password: &Secret, salt: &[u8]) -> io::Result<Self> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        argon2::Argon2::default()
            .hash_password_into(password.expose().as_bytes(), salt, &mut key[..])
            .map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Self(key))
    }

    /// Encrypts a text for one place: it cannot be decrypted as if it stood in another.
    pub(super) fn seal(&self, place: &str, text: &[u8]) -> io::Result<Vec<u8>> {
        let mut nonce = [0; NONCE_BYTES];
        random(&mut nonce)?;
        let payload = Payload { msg: text, aad: place.as_bytes() };
        let sealed = self.cipher().encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| io::Error::other("it is too long to be encrypted"))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Decrypts what `seal` made for this place; none if it was not this key, or it was changed.
    pub(super) fn open(&self, place: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg: sealed, aad: place.as_bytes() };
        self.cipher().decrypt(&XNonce::from(*nonce), payload).ok().map(Zeroizing::new)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.0).into())
    }
}

pub(super) fn random(bytes: &mut [u8]) -> io::Result<()> {
    getrandom::fill(bytes).map_err(io::Error::other)
}

/// Bytes as hexadecimal digits in JSON.
pub(super) mod hex {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};
    use std::fmt::Write as _;

    pub(in super::super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(2 * bytes.len());
        for byte in bytes {
            write!(text, "{byte:02x}").map_err(serde::ser::Error::custom)?;
        }
        to.serialize_str(&text)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
        let digits = digits.filter(|digits| digits.len() % 2 == 0);
        let digits = digits.ok_or_else(|| D::Error::custom("not hexadecimal digits"))?;
        digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).map_err(D::Error::custom)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Key;

    #[test]
    fn what_is_sealed_opens_in_its_place_with_its_key_only() {
        let dir = tempfile::tempdir().unwrap();
        let key = Key::read_or_make(&dir.path().join("key")).unwrap();
        let other = Key::read_or_make(&dir.path().join("other")).unwrap();
        let sealed = key.seal("here", b"s3cret").unwrap();
        assert_ne!(sealed, key.seal("here", b"s3cret").unwrap());
        let again = Key::read(&dir.path().join("key")).unwrap().unwrap();
        assert_eq!(again.open("here", &sealed).unwrap().as_slice(), b"s3cret");
        assert!(key.open("there", &sealed).is_none() && other.open("here", &sealed).is_none());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key.open("here", &changed).is_none() && key.open("here", &sealed[..at]).is_none());
        }
    }
}
