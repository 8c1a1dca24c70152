//! How a token is written: `lsk_`, 16 digits that name it, `_`, 64 digits that are the secret, all hexadecimal.

use lockstep_ports::ServiceError;
use std::fmt::Write;

/// What every token begins with, so that one that was published by mistake is recognised.
const PREFIX: &str = "lsk_";
/// Bytes of the part that names a token.
const ID_BYTES: usize = 8;
/// Bytes of a secret: nobody guesses one, so a fast hash of it is as good as a slow one.
pub(crate) const SECRET_BYTES: usize = 32;

/// A new id and a new secret.
pub(crate) fn new() -> Result<(String, String), ServiceError> {
    Ok((random(ID_BYTES)?, random(SECRET_BYTES)?))
}

/// As it is sent.
pub(crate) fn written(id: &str, secret: &str) -> String {
    format!("{PREFIX}{id}_{secret}")
}

/// Id and secret of what may be a token.
pub(crate) fn parts(text: &str) -> Option<(&str, &str)> {
    let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
    let is_hex =
        |text: &str, bytes: usize| text.len() == 2 * bytes && text.bytes().all(|b| b.is_ascii_hexdigit());
    (is_hex(id, ID_BYTES) && is_hex(secret, SECRET_BYTES)).then_some((id, secret))
}

/// So many random bytes, in hexadecimal.
pub(crate) fn random(bytes: usize) -> Result<String, ServiceError> {
    let mut random = [0; SECRET_BYTES];
    let random = &mut random[..bytes.min(SECRET_BYTES)];
    getrandom::fill(random)
        .map_err(|error| ServiceError::Unavailable(format!("the machine gives no randomness: {error}")))?;
    let mut text = String::with_capacity(2 * bytes);
    random.iter().try_for_each(|byte| write!(text, "{byte:02x}")).unwrap_or_default();
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::{new, parts, written};

    #[test]
    fn a_token_is_read_as_it_was_written_and_nothing_else_is_one() {
        let (id, secret) = new().expect("randomness");
        let text = written(&id, &secret);
        assert_eq!(parts(&text), Some((id.as_str(), secret.as_str())));
        assert_eq!(text.len(), 85);
        for wrong in ["", "lsk_", &text[1..], &text[..84], &format!("{text}0"), &text.replace("lsk_", "lsk-")]
        {
            assert_eq!(parts(wrong), None, "{wrong}");
        }
        assert_eq!(parts(&format!("lsk_{}_{}", "é".repeat(8), "0".repeat(64))), None);
    }
}
