use lockstep_types::Digest;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Longest name in a registry; registries refuse longer ones.
const NAME_MAX: usize = 255;

/// Longest tag, as the distribution specification has it.
const TAG_MAX: usize = 128;

/// Where components lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A folder.
    Folder(PathBuf),
    /// A name in a registry.
    Registry {
        /// Host and, if it is not the usual one, port.
        host: String,
        /// Name of the repository.
        name: String,
    },
}

/// Which component at which place: `dir:PATH[#TAG][@sha256:DIGEST]` or `oci://HOST[:PORT]/NAME[:TAG][@sha256:DIGEST]`.
/// In a folder the digest is the component's own, in a registry that of its manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Where.
    pub place: Place,
    /// A name that may be moved.
    pub tag: Option<String>,
    /// What it must be.
    pub digest: Option<Digest>,
}

/// A text that is no reference. Display says what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text} is no place for components ({reason}): write dir:PATH[#TAG] or oci://HOST[:PORT]/NAME[:TAG], with @sha256:DIGEST to pin it"
)]
pub struct InvalidReference {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl Reference {
    /// The same, pinned to `digest`.
    #[must_use]
    pub fn pinned(&self, digest: Digest) -> Self {
        Self { digest: Some(digest), ..self.clone() }
    }
}

impl FromStr for Reference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        parse(text).map_err(|reason| InvalidReference { text: text.to_owned(), reason })
    }
}

fn parse(text: &str) -> Result<Reference, &'static str> {
    let (rest, digest) = match text.rsplit_once("@sha256:") {
        Some((rest, digits)) => (rest, Some(digits.parse().map_err(|_| "the digest has not 64 digits")?)),
        None => (text, None),
    };
    let (place, tag) = if let Some(path) = rest.strip_prefix("dir:") {
        folder(path)?
    } else if let Some(rest) = rest.strip_prefix("oci://") {
        registry(rest)?
    } else {
        return Err("it begins with neither dir: nor oci://");
    };
    if tag.is_some_and(|tag| !is_tag(tag)) {
        return Err("a tag has 1 to 128 letters, digits, dots, dashes and underscores");
    }
    Ok(Reference { place, tag: tag.map(str::to_owned), digest })
}

fn folder(text: &str) -> Result<(Place, Option<&str>), &'static str> {
    let (path, tag) = text.rsplit_once('#').map_or((text, None), |(path, tag)| (path, Some(tag)));
    match path {
        "" => Err("the path is missing"),
        // No shell expands it behind `dir:`, and a folder of that name is never meant.
        path if path.starts_with('~') => Err("write the home folder as $HOME, not as ~"),
        path => Ok((Place::Folder(path.into()), tag)),
    }
}

fn registry(text: &str) -> Result<(Place, Option<&str>), &'static str> {
    let (host, rest) = text.split_once('/').ok_or("the name is missing")?;
    let (name, tag) = rest.rsplit_once(':').map_or((rest, None), |(name, tag)| (name, Some(tag)));
    if !is_host(host) {
        return Err("the host is not one");
    }
    if !is_name(name) {
        return Err(
            "a name has small letters and digits, with single dots, dashes, underscores and slashes between",
        );
    }
    Ok((Place::Registry { host: host.to_owned(), name: name.to_owned() }, tag))
}

fn is_host(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, "")) => return address.parse::<std::net::Ipv6Addr>().is_ok(),
        Some((address, port)) if address.parse::<std::net::Ipv6Addr>().is_ok() => {
            ("v6", port.strip_prefix(':'))
        }
        Some(_) => return false,
        None => text.split_once(':').map_or((text, Some("1")), |(host, port)| (host, Some(port))),
    };
    let is_named =
        !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-');
    is_named
        && port.is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok())
}

fn is_name(name: &str) -> bool {
    let is_part = |part: &str| {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let bytes = part.as_bytes();
        let ends = bytes.first().copied().is_some_and(plain) && bytes.last().copied().is_some_and(plain);
        // Between letters and digits: one dot, one or two underscores, or any number of dashes.
        let joints = part.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        let is_joint =
            |joint: &str| matches!(joint, "" | "." | "_" | "__") || joint.bytes().all(|b| b == b'-');
        ends && joints.into_iter().all(is_joint)
    };
    name.len() <= NAME_MAX && name.split('/').all(is_part)
}

fn is_tag(tag: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let starts = tag.bytes().next().is_some_and(word);
    starts && tag.len() <= TAG_MAX && tag.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "dir:{}", path.display()),
            Self::Registry { host, name } => write!(f, "oci://{host}/{name}"),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.place, f)?;
        if let Some(tag) = &self.tag {
            let mark = if matches!(self.place, Place::Folder(_)) { '#' } else { ':' };
            write!(f, "{mark}{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@sha256:{digest}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Reference;

    #[test]
    fn what_is_written_is_read_back() {
        let digest = "@sha256:".to_owned() + &"0a".repeat(32);
        for place in [
            "dir:/srv/steps",
            "dir:steps#stable",
            "dir:/a:b/c#1.0.2",
            "oci://localhost/gate",
            "oci://127.0.0.1:5000/team/ci-gate:1.2",
            "oci://[::1]:5000/a",
            "oci://[::1]/a__b/c--d.e:_x",
            "oci://ghcr.io/o/n",
        ] {
            for text in [place.to_owned(), place.to_owned() + &digest] {
                assert_eq!(text.parse::<Reference>().map(|r| r.to_string()).as_deref(), Ok(text.as_str()));
            }
        }
    }

    #[test]
    fn what_is_none_is_refused_with_a_reason() {
        let reason = |text: &str| text.parse::<Reference>().unwrap_err().reason;
        assert_eq!(reason("steps"), "it begins with neither dir: nor oci://");
        assert_eq!(reason("dir:"), "the path is missing");
        assert_eq!(reason("dir:~/steps"), "write the home folder as $HOME, not as ~");
        assert_eq!(reason("dir:/a@sha256:12"), "the digest has not 64 digits");
        assert!(reason("dir:/a#").starts_with("a tag has"));
        assert_eq!(reason("oci://host"), "the name is missing");
        for host in
            ["", ":5000", "user@host", "host:", "host:99999", "host:1:2", "[::1", "[::1]x", "[::g]", "h%st"]
        {
            assert_eq!(reason(&format!("oci://{host}/a")), "the host is not one", "{host}");
        }
        for name in ["", "A", "a//b", "a/", "-a", "a..b", "a___b", "a/../b", "a?b", "a b"] {
            assert!(reason(&format!("oci://host/{name}")).starts_with("a name has"), "{name}");
        }
        for tag in ["", ".a", "a/b", &"a".repeat(129)] {
            assert!(reason(&format!("oci://host/a:{tag}")).starts_with('a'), "{tag}");
        }
    }
}
