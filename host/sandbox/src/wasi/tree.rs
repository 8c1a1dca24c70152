use bytes::Bytes;
use lockstep_types::{Digest, DirSnapshot};
use std::collections::{BTreeMap, BTreeSet};

/// A granted directory in memory, the same for all calls.
pub(crate) struct Tree {
    digest: Digest,
    files: BTreeMap<String, Bytes>,
    /// What is in each directory, by its path; the root's is empty.
    folders: BTreeMap<String, BTreeSet<String>>,
}

/// What is at a path.
#[derive(Clone)]
pub(super) enum Found {
    File(Bytes),
    Folder,
}

impl Tree {
    pub(crate) fn new(digest: Digest, snapshot: DirSnapshot) -> Self {
        let mut folders = BTreeMap::from([(String::new(), BTreeSet::new())]);
        for path in snapshot.files().keys() {
            let mut below = path.as_str();
            loop {
                let (folder, name) = below.rsplit_once('/').unwrap_or(("", below));
                folders.entry(folder.to_owned()).or_default().insert(name.to_owned());
                if folder.is_empty() {
                    break;
                }
                below = folder;
            }
        }
        let files = snapshot.into_files().into_iter().map(|(path, content)| (path, content.into())).collect();
        Self { digest, files, folders }
    }

    /// What is at `path`, which is relative to the root and has nothing to resolve.
    pub(super) fn at(&self, path: &str) -> Option<Found> {
        match self.files.get(path) {
            Some(content) => Some(Found::File(content.clone())),
            None => self.folders.contains_key(path).then_some(Found::Folder),
        }
    }

    /// Names in a folder, in order, and whether each is a folder.
    pub(super) fn names(&self, folder: &str) -> Vec<(String, bool)> {
        let names = self.folders.get(folder).into_iter().flatten();
        names.map(|name| (name.clone(), self.folders.contains_key(&join(folder, name)))).collect()
    }

    /// Names this very file or folder, whatever machine it is on.
    pub(super) fn digest_of(&self, path: &str) -> Digest {
        Digest::of(format!("{} {path}", self.digest).as_bytes())
    }
}

/// The path of `name` in `folder`.
pub(super) fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}
