//! Who we are to a registry: what the options say, or what docker's configuration keeps.

use super::super::DistributionOptions;
use crate::files;
use base64ct::{Base64, Encoding as _};
use lockstep_ports::Secret;
use oci_client::secrets::RegistryAuth;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Largest `config.json` of docker that is read.
const CONFIG_MAX: u64 = 1 << 20;

/// A name and a password, or why there are none.
pub(super) type Login = Result<(String, Secret), &'static str>;

const NOBODY: &str = "it wants a name and a password";

/// Whom `host` shall know us as.
pub(super) fn of(options: &DistributionOptions, host: &str) -> Login {
    match (&options.login, &options.docker_config) {
        (Some(login), _) => Ok(login.clone()),
        (None, Some(config)) => from_docker(config, host),
        (None, None) => Err(NOBODY),
    }
}

/// The same as the client wants it.
pub(super) fn given(login: &Login) -> RegistryAuth {
    match login {
        Ok((name, password)) => RegistryAuth::Basic(name.clone(), password.expose().to_owned()),
        Err(_) => RegistryAuth::Anonymous,
    }
}

/// What docker keeps for `host`. Its helper programs are not run.
fn from_docker(config: &Path, host: &str) -> Login {
    #[derive(Deserialize)]
    struct Config {
        #[serde(default)]
        auths: BTreeMap<String, Kept>,
    }
    #[derive(Deserialize)]
    struct Kept {
        auth: Option<String>,
    }
    const UNCLEAR: &str = "docker's config.json cannot be understood";
    let bytes = files::read_bounded(config, CONFIG_MAX);
    let Some(bytes) = bytes.map_err(|_| "docker's config.json cannot be read")? else { return Err(NOBODY) };
    let config: Config = serde_json::from_slice(&bytes).map_err(|_| UNCLEAR)?;
    let ends = ["", "/", "/v1/", "/v2/"];
    let mut names = vec![host.to_owned()];
    names.extend(ends.map(|end| format!("https://{host}{end}")));
    let kept = names.iter().find_map(|name| config.auths.get(name)).ok_or(NOBODY)?;
    let both = kept.auth.as_ref().filter(|both| !both.is_empty());
    let both = both.ok_or("docker keeps its password in a helper program, which is not asked")?;
    let both = Base64::decode_vec(both).ok().and_then(|both| String::from_utf8(both).ok());
    let both = Secret::new(both.ok_or(UNCLEAR)?);
    let (name, password) = both.expose().split_once(':').ok_or(UNCLEAR)?;
    Ok((name.to_owned(), Secret::new(password.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_knows_some_registries() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.json");
        let login = |host: &str| match from_docker(&file, host) {
            Ok((name, password)) => format!("{name} {}", password.expose()),
            Err(why) => why.to_owned(),
        };
        assert_eq!(login("r.example"), NOBODY);
        std::fs::write(
            &file,
            r#"{"auths":{"r.example":{"auth":"YTpi"},"https://s.example/v1/":{"auth":"YzpkOmU="},"t.example":{},
                "v.example":{"auth":"YQ=="},"w.example":{"auth":"?"}}}"#,
        )
        .unwrap();
        assert_eq!(login("r.example"), "a b");
        assert_eq!(login("s.example"), "c d:e");
        assert_eq!(login("t.example"), "docker keeps its password in a helper program, which is not asked");
        assert_eq!(login("u.example"), NOBODY);
        for broken in ["v.example", "w.example"] {
            assert_eq!(login(broken), "docker's config.json cannot be understood");
        }
        std::fs::write(&file, "{").unwrap();
        assert_eq!(login("r.example"), "docker's config.json cannot be understood");
    }
}
