/// Characters of a credential's name: it becomes the name of a file and of a variable.
pub const CREDENTIAL_NAME_MAX: usize = 64;

/// Whether a text can be the name of a credential: lower-case letters, digits and `-`, a letter first.
#[must_use]
pub fn is_credential_name(name: &str) -> bool {
    name.len() <= CREDENTIAL_NAME_MAX
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// The variable in which a command finds a credential: `GITHUB_TOKEN` for `github-token`.
#[must_use]
pub fn credential_variable(name: &str) -> String {
    name.to_ascii_uppercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::{CREDENTIAL_NAME_MAX, credential_variable, is_credential_name};

    #[test]
    fn a_name_is_a_file_and_a_variable() {
        assert_eq!(credential_variable("github-token2"), "GITHUB_TOKEN2");
        assert!(is_credential_name("a") && is_credential_name(&"a".repeat(CREDENTIAL_NAME_MAX)));
        for name in ["", "1a", "-a", "A", "a_b", "a/b", "a.b", "ä", &"a".repeat(CREDENTIAL_NAME_MAX + 1)] {
            assert!(!is_credential_name(name), "{name}");
        }
    }
}
