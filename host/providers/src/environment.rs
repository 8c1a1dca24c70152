//! The environment of the operator's own programs: jobs and checks.

use std::collections::BTreeMap;
use std::ffi::OsString;

/// What a program of the operator finds of the host's environment. Anything else, above all secrets, has to be named
/// in the pipeline.
const PASSED_ON: &[&str] =
    &["PATH", "HOME", "USER", "LANG", "TMPDIR", "TERM", "SHELL", "CARGO_HOME", "RUSTUP_HOME"];

/// Ends of names whose values are taken for secrets, though nobody keeps them as credentials: `GITHUB_TOKEN`, `API_KEY`.
const SECRET_NAMES: [&str; 9] =
    ["TOKEN", "KEY", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL", "CREDENTIALS", "PAT"];

/// Names and values of an environment.
pub(crate) type Environment = BTreeMap<OsString, OsString>;

/// What every program of the operator is given, and those of `pass_env` that are set, then `added`.
pub(crate) fn environment(pass_env: &[String], added: &BTreeMap<String, String>) -> Environment {
    let names = PASSED_ON.iter().copied().chain(pass_env.iter().map(String::as_str));
    let mut environment: Environment = names
        .filter(|name| is_name(name))
        .filter_map(|name| Some((name.into(), std::env::var_os(name)?)))
        .collect();
    environment.extend(
        added
            .iter()
            .filter(|(name, value)| is_name(name) && !value.contains('\0'))
            .map(|(name, value)| (name.into(), value.into())),
    );
    environment
}

/// The variables of a program whose values are kept out of all that is kept of it, by their names.
pub(crate) fn secret_names<'a>(
    pass_env: &'a [String],
    added: &'a BTreeMap<String, String>,
) -> impl Iterator<Item = String> + 'a {
    let is_secret = |name: &&String| {
        let last = name.rsplit(['_', '-']).next().unwrap_or_default().to_ascii_uppercase();
        SECRET_NAMES.contains(&last.as_str())
    };
    pass_env.iter().chain(added.keys()).filter(is_secret).cloned()
}

/// Those of `pass_env` that the host does not have, for a message.
pub(crate) fn not_set(pass_env: &[String]) -> Vec<&str> {
    pass_env
        .iter()
        .map(String::as_str)
        .filter(|name| !is_name(name) || std::env::var_os(name).is_none())
        .collect()
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0'])
}
