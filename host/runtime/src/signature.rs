//! Signatures of components: what is signed, how it is written down, and whether it is right. All of it offline and
//! without state; whose signatures count is for the registry to say.
//!
//! What is signed is a text of its own with a version, so that a signature of one thing can never pass for that of
//! another: the digest of the bytes, the world they were built for, and the digest of the descriptor that the host read
//! from them.

use ed25519_dalek::{Signature as Ed25519Signature, Signer, SigningKey, VerifyingKey};
use lockstep_types::{ComponentInfo, Digest, Signature};

/// First words of the files; the version is that of the text that is signed.
const SIGNATURE_FILE: &str = "lockstep-signature-v1";
const PRIVATE_FILE: &str = "lockstep-private-key-v1";
const PUBLIC_FILE: &str = "lockstep-public-key-v1";
/// First line of the text that is signed.
const DOMAIN: &str = "lockstep component signature v1";
/// Longest file of these that is read: two hundred characters and a name.
pub const FILE_BYTES_MAX: u64 = 4096;

/// Why something is no signature of a component, or no key. Display is one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The text is not what `lockstep` writes.
    #[error("it is not {what}: {problem}")]
    Unreadable {
        /// What it should be.
        what: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The key is no point of the curve, or a weak one.
    #[error("its key is not an ed25519 key")]
    NotAKey,
    /// The signature is of something else, or was altered.
    #[error("it is not a signature of this component by key {key}")]
    Wrong {
        /// The first digits of the key.
        key: String,
    },
}

/// A private key. It is wiped from memory when it is dropped, and never shown.
pub struct PrivateKey(SigningKey);

impl PrivateKey {
    /// The key of these random bytes.
    #[must_use]
    pub fn from_random(bytes: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(bytes))
    }

    /// Reads a private key file.
    ///
    /// # Errors
    /// If the text is none.
    pub fn read(text: &str) -> Result<Self, SignatureError> {
        const WHAT: &str = "a private key of `lockstep component keygen`";
        let words = words(text, PRIVATE_FILE, WHAT)?;
        let [_, digits] = words[..] else {
            return Err(shape(WHAT, "a name and a key follow the first word"));
        };
        Ok(Self::from_random(&from_hex(digits, WHAT)?))
    }

    /// The text of a private key file.
    #[must_use]
    pub fn write(&self, name: &str) -> String {
        format!("{PRIVATE_FILE} {name} {}\n", hex(self.0.as_bytes()))
    }

    /// The text of a public key file.
    #[must_use]
    pub fn write_public(&self, name: &str) -> String {
        format!("{PUBLIC_FILE} {name} {}\n", self.public())
    }

    /// The public key, 64 digits.
    #[must_use]
    pub fn public(&self) -> String {
        hex(self.0.verifying_key().as_bytes())
    }

    /// Signs a component.
    #[must_use]
    pub fn sign(&self, info: &ComponentInfo) -> Signature {
        let signature = self.0.sign(&signed_text(info)).to_bytes();
        Signature { key: self.public(), signature: hex(&signature) }
    }
}

/// Checks that a signature is one of the component. Whether its key is trusted is another question.
///
/// # Errors
/// If it is not.
pub fn verify(info: &ComponentInfo, signature: &Signature) -> Result<(), SignatureError> {
    const WHAT: &str = "a signature";
    let key = VerifyingKey::from_bytes(&from_hex(&signature.key, WHAT)?);
    let key = key.map_err(|_| SignatureError::NotAKey)?;
    let bytes = Ed25519Signature::from_bytes(&from_hex(&signature.signature, WHAT)?);
    // Strict: a weak key, or a second form of the same signature, is refused.
    key.verify_strict(&signed_text(info), &bytes)
        .map_err(|_| SignatureError::Wrong { key: short(&signature.key) })
}

/// Reads a signature file.
///
/// # Errors
/// If the text is none.
pub fn read_signature(text: &str) -> Result<Signature, SignatureError> {
    const WHAT: &str = "a signature file of `lockstep component sign`";
    let words = words(text, SIGNATURE_FILE, WHAT)?;
    let [key, signature] = words[..] else {
        return Err(shape(WHAT, "a key and a signature follow the first word"));
    };
    let (key, signature) = (from_hex::<32>(key, WHAT)?, from_hex::<64>(signature, WHAT)?);
    Ok(Signature { key: hex(&key), signature: hex(&signature) })
}

/// The text of a signature file.
#[must_use]
pub fn write_signature(signature: &Signature) -> String {
    format!("{SIGNATURE_FILE} {} {}\n", signature.key, signature.signature)
}

/// Reads a public key: a public key file, or its 64 digits. Gives the key, and the name in the file.
///
/// # Errors
/// If the text is none, or no key of the curve.
pub fn read_public(text: &str) -> Result<(String, Option<String>), SignatureError> {
    const WHAT: &str = "a public key file of `lockstep component keygen`, nor 64 hexadecimal digits";
    let all: Vec<&str> = text.split_ascii_whitespace().collect();
    let (name, digits) = match all[..] {
        [digits] => (None, digits),
        _ => match words(text, PUBLIC_FILE, WHAT)?[..] {
            [name, digits] => (Some(name.to_owned()), digits),
            _ => return Err(shape(WHAT, "a name and a key follow the first word")),
        },
    };
    let bytes = from_hex(digits, WHAT)?;
    match VerifyingKey::from_bytes(&bytes) {
        Ok(key) if !key.is_weak() => Ok((hex(&bytes), name)),
        _ => Err(SignatureError::NotAKey),
    }
}

/// The beginning of a key, for people.
#[must_use]
pub fn short(key: &str) -> String {
    key.chars().take(12).collect()
}

/// What is signed.
fn signed_text(info: &ComponentInfo) -> Vec<u8> {
    // The order of the fields is that of the type, which never changes; new ones are left out while they are empty.
    let descriptor = serde_json::to_vec(&info.descriptor).unwrap_or_default();
    let descriptor = Digest::of(&descriptor);
    let (digest, world) = (info.digest, &info.world);
    format!("{DOMAIN}\ncomponent sha256:{digest}\nworld {world}\ndescriptor sha256:{descriptor}\n")
        .into_bytes()
}

fn words<'t>(text: &'t str, first: &str, what: &'static str) -> Result<Vec<&'t str>, SignatureError> {
    let mut words = text.split_ascii_whitespace();
    match words.next() {
        Some(word) if word == first => Ok(words.collect()),
        Some(word) if word.len() < 40 => Err(shape(what, &format!("it begins with {word:?}, not {first}"))),
        _ => Err(shape(what, &format!("it does not begin with {first}"))),
    }
}

fn shape(what: &'static str, problem: &str) -> SignatureError {
    SignatureError::Unreadable { what, problem: problem.to_owned() }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex<const N: usize>(digits: &str, what: &'static str) -> Result<[u8; N], SignatureError> {
    let wrong = || shape(what, &format!("{} hexadecimal digits are expected", 2 * N));
    if digits.len() != 2 * N || !digits.is_ascii() {
        return Err(wrong());
    }
    let mut bytes = [0_u8; N];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).map_err(|_| wrong())?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
