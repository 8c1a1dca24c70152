//! Takes secrets out of what a program writes, before it is kept anywhere.

use crate::files::{read_bounded, write_durably};
use base64ct::{Base64Unpadded, Base64UrlUnpadded, Encoding as _};
use lockstep_types::JobOutcome;
use serde_json::Value;
use std::fmt;
use std::io;
use std::path::Path;
use zeroize::Zeroizing;

/// What stands for a secret.
const STAND_IN: &[u8] = b"***";
/// Shortest secret that is looked for: a shorter one would be found everywhere.
pub(crate) const SECRET_MIN: usize = 4;
/// Shortest part or encoding of a secret that is looked for, for the same reason.
const PART_MIN: usize = 8;
/// Largest file that is searched; a larger one is no result, and is removed.
const FILE_MAX: u64 = 1 << 20;

/// The secrets of a program.
#[derive(Default)]
pub(crate) struct Mask(Vec<Zeroizing<Vec<u8>>>);

/// What was read of one stream and may yet turn out to be a secret.
#[derive(Default)]
pub(crate) struct Held(Zeroizing<Vec<u8>>);

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mask of {}", self.0.len())
    }
}

impl Mask {
    /// The longest first, so that of two secrets one within the other the whole is taken out.
    pub(crate) fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let mut all = Vec::new();
        for secret in secrets.into_iter().map(Zeroizing::new) {
            for form in forms(&secret) {
                let form = Zeroizing::new(form.as_bytes().to_vec());
                if form.len() >= SECRET_MIN && !all.contains(&form) {
                    all.push(form);
                }
            }
        }
        all.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self(all)
    }

    /// Takes the secrets out of everything an outcome says.
    pub(crate) fn outcome(&self, outcome: JobOutcome) -> JobOutcome {
        if self.0.is_empty() {
            return outcome;
        }
        let mut value = serde_json::json!(outcome);
        self.value(&mut value);
        serde_json::from_value(value).unwrap_or_else(|_| {
            JobOutcome::Failed("what it reports cannot be kept without its secrets".into())
        })
    }

    fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                let kept = self.whole(text.as_bytes());
                if kept != text.as_bytes() {
                    *text = String::from_utf8_lossy(&kept).into_owned();
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.value(value)),
            Value::Object(fields) => fields.values_mut().for_each(|value| self.value(value)),
            _ => {}
        }
    }

    /// A whole text as it may be kept.
    pub(crate) fn whole(&self, text: &[u8]) -> Vec<u8> {
        let mut held = Held::default();
        let mut kept = self.next(&mut held, text);
        kept.extend(self.end(&mut held));
        kept
    }

    /// The next bytes of a stream as they may be kept. What could be the beginning of a secret is held until it is known.
    pub(crate) fn next(&self, held: &mut Held, bytes: &[u8]) -> Vec<u8> {
        if self.0.is_empty() {
            return bytes.to_vec();
        }
        let mut text = Zeroizing::new(std::mem::take(&mut *held.0));
        text.extend_from_slice(bytes);
        let mut kept = Vec::with_capacity(text.len());
        let mut at = 0;
        while at < text.len() {
            let rest = &text[at..];
            if self.0.iter().any(|secret| secret.len() > rest.len() && secret.starts_with(rest)) {
                break;
            }
            if let Some(secret) = self.0.iter().find(|secret| rest.starts_with(secret)) {
                kept.extend_from_slice(STAND_IN);
                at += secret.len();
            } else {
                kept.push(text[at]);
                at += 1;
            }
        }
        held.0.extend_from_slice(&text[at..]);
        kept
    }

    /// What was held when a stream ended. Part of a secret is not kept: the rest may have been cut off.
    pub(crate) fn end(&self, held: &mut Held) -> Vec<u8> {
        let rest = std::mem::take(&mut *held.0);
        let is_long = rest.len() >= SECRET_MIN;
        if is_long { STAND_IN.to_vec() } else { rest }
    }

    /// Takes the secrets out of a file a program made; one that cannot be searched is removed.
    pub(crate) fn file(&self, path: &Path) -> io::Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        match read_bounded(path, FILE_MAX) {
            Ok(None) => Ok(()),
            Ok(Some(bytes)) => {
                let kept = self.whole(&bytes);
                if kept == bytes { Ok(()) } else { write_durably(path, &kept) }
            }
            Err(_) => std::fs::remove_file(path),
        }
    }
}

/// The forms in which programs commonly write a secret: as it is, in JSON, its lines one by one, within a text in base64,
/// and in a URL. Any other transformation is not recognised.
fn forms(secret: &str) -> Vec<Zeroizing<String>> {
    let quoted = Zeroizing::new(Value::from(secret).to_string());
    let mut forms =
        vec![Zeroizing::new(quoted.trim_matches('"').to_owned()), Zeroizing::new(secret.to_owned())];
    let lines = secret.lines().map(str::trim).filter(|line| line.len() >= PART_MIN);
    forms.extend(lines.map(|line| Zeroizing::new(line.to_owned())));
    if secret.len() < PART_MIN {
        return forms;
    }
    for before in 0..3 {
        // The letters that follow from the secret alone, whatever stands before and after it.
        let text = Zeroizing::new([&vec![0; before], secret.as_bytes()].concat());
        let (from, to) = ((before * 8).div_ceil(6), text.len() * 8 / 6);
        for encoded in [Base64Unpadded::encode_string(&text), Base64UrlUnpadded::encode_string(&text)] {
            let encoded = Zeroizing::new(encoded);
            forms.push(Zeroizing::new(encoded[from..to].to_owned()));
        }
    }
    let mut in_url = Zeroizing::new(String::new());
    for byte in secret.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            in_url.push(char::from(byte));
        } else {
            in_url.push_str(&format!("%{byte:02X}"));
        }
    }
    forms.push(in_url);
    forms
}

#[cfg(test)]
mod tests {
    use super::{Held, Mask};
    use lockstep_types::JobOutcome;

    fn masked(secrets: &[&str], chunks: &[&str]) -> String {
        let mask = Mask::new(secrets.iter().map(|secret| (*secret).to_owned()));
        let mut held = Held::default();
        let mut kept = Vec::new();
        for chunk in chunks {
            kept.extend(mask.next(&mut held, chunk.as_bytes()));
        }
        kept.extend(mask.end(&mut held));
        String::from_utf8(kept).unwrap()
    }

    #[test]
    fn a_secret_is_taken_out_wherever_it_is_cut() {
        let text = "a s3cret, s3cre, s3s3crets and s3cret";
        for at in 0..text.len() {
            let (first, second) = text.split_at(at);
            assert_eq!(masked(&["s3cret"], &[first, second]), "a ***, s3cre, s3***s and ***", "{at}");
        }
        let letters: Vec<String> = text.chars().map(String::from).collect();
        let letters: Vec<&str> = letters.iter().map(String::as_str).collect();
        assert_eq!(masked(&["s3cret"], &letters), "a ***, s3cre, s3***s and ***");
    }

    #[test]
    fn forms_lengths_and_ends() {
        assert_eq!(masked(&["abcd", "abcdef"], &["abcdef abcd"]), "*** ***");
        assert_eq!(masked(&["ab\"cd"], &[r#"{"t":"ab\"cd"}"#]), r#"{"t":"***"}"#);
        assert_eq!(masked(&["abc"], &["abc"]), "abc");
        assert_eq!(masked(&[], &["abcd"]), "abcd");
        assert_eq!(masked(&["abcdefgh"], &["x abcdef"]), "x ***");
        assert_eq!(masked(&["abcdefgh"], &["x ab"]), "x ab");
    }

    #[test]
    fn the_forms_that_programs_write_are_known() {
        let secret = "pass/word+with=signs";
        for (said, kept) in [
            ("cGFzcy93b3JkK3dpdGg9c2lnbnMK", "***MK"),
            ("YW5uOnBhc3Mvd29yZCt3aXRoPXNpZ25z", "YW5uOn***"),
            ("https://ann:pass%2Fword%2Bwith%3Dsigns@host", "https://ann:***@host"),
        ] {
            assert_eq!(masked(&[secret], &[said]), kept);
        }
        assert_eq!(masked(&["-----BEGIN\nMIIEvQIBADANBg\n"], &["  MIIEvQIBADANBg\r\n"]), "  ***\r\n");
    }

    #[test]
    fn an_outcome_says_none() {
        let mask = Mask::new(["s3cret".to_owned()]);
        let outcome = JobOutcome::Failed("it left conflict markers in s3cret.txt".into());
        let kept = JobOutcome::Failed("it left conflict markers in ***.txt".into());
        assert_eq!(mask.outcome(outcome), kept);
    }

    #[test]
    fn a_file_is_searched_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("result.json");
        let mask = Mask::new(["s3cret".to_owned()]);
        mask.file(&path).unwrap();
        std::fs::write(&path, r#"{"output":"s3cret"}"#).unwrap();
        mask.file(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), r#"{"output":"***"}"#);
        std::fs::write(&path, vec![b'x'; 2 << 20]).unwrap();
        mask.file(&path).unwrap();
        assert!(!path.exists());
    }
}
