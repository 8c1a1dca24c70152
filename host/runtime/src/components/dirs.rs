//! Directories that components may read: kept as they are when they are granted, so that a call made again reads the same.

use super::{Answer, store};
use crate::runtime::Runtime;
use lockstep_ports::ServiceError;
use lockstep_types::{Digest, DirGrant, DirSnapshot, Grant};

/// Directories of one grant. Every call of a component has all of them in memory.
const DIRS_MAX: usize = 8;
/// Bytes of the path a component finds a directory at.
const PATH_BYTES_MAX: usize = 128;

impl Runtime {
    pub(super) async fn take_dir(&self, snapshot: &[u8]) -> Answer<Digest> {
        let snapshot =
            DirSnapshot::decode(snapshot).map_err(|error| ServiceError::Invalid(error.to_string()))?;
        self.shared.outside.components.keep_dir(snapshot).await.map_err(store)
    }

    /// Refuses directories no component could find its files in.
    pub(super) async fn refuse_dirs(&self, kind: &str, grant: &Grant) -> Answer<()> {
        if grant.dirs.len() > DIRS_MAX {
            return Err(ServiceError::Invalid(format!(
                "kind {kind} would be granted more than {DIRS_MAX} directories: take away what it does not need"
            )));
        }
        for DirGrant { path, digest } in &grant.dirs {
            refuse_path(path)?;
            if self.shared.outside.components.dir(digest).await.map_err(store)?.is_none() {
                return Err(ServiceError::NotFound(format!(
                    "the directory {} is not kept here: use `lockstep component grant {kind} --dir {path}=FOLDER`",
                    digest.short()
                )));
            }
        }
        Ok(())
    }
}

fn refuse_path(path: &str) -> Answer<()> {
    let is_name = |name: &str| {
        !matches!(name, "" | "." | "..") && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'=')
    };
    let names = path.strip_prefix('/').filter(|_| path.len() <= PATH_BYTES_MAX);
    if names.is_some_and(|names| names.split('/').all(is_name)) {
        return Ok(());
    }
    Err(ServiceError::Invalid(format!("{path:?} is not a path a component could use, such as `/data`")))
}

/// A grant's directories with more, each in place of the one that was at its path.
pub(super) fn joined(mut dirs: Vec<DirGrant>, more: &[DirGrant]) -> Vec<DirGrant> {
    for dir in more {
        match dirs.iter_mut().find(|known| known.path == dir.path) {
            Some(known) => known.digest = dir.digest,
            None => dirs.push(dir.clone()),
        }
    }
    dirs
}

#[cfg(test)]
mod tests {
    use super::{joined, refuse_path};
    use lockstep_types::{Digest, DirGrant};

    #[test]
    fn a_path_is_one_a_component_could_open() {
        for path in ["/data", "/etc/rules"] {
            assert!(refuse_path(path).is_ok(), "{path}");
        }
        for path in ["", "/", "data", "/a/../b", "/a//b", "/a b", "/a=b", &format!("/{}", "x".repeat(200))] {
            assert!(refuse_path(path).is_err(), "{path}");
        }
    }

    #[test]
    fn what_is_granted_again_takes_the_place_of_what_was() {
        let dir =
            |path: &str, content: &[u8]| DirGrant { path: path.to_owned(), digest: Digest::of(content) };
        let both = joined(vec![dir("/a", b"1"), dir("/b", b"1")], &[dir("/b", b"2"), dir("/c", b"1")]);
        assert_eq!(both, [dir("/a", b"1"), dir("/b", b"2"), dir("/c", b"1")]);
    }
}
