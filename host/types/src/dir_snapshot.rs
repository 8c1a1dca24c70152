use crate::Digest;
use std::collections::BTreeMap;
use std::fmt;

/// Begins every snapshot; the digit is the version of the format.
const HEADER: &[u8] = b"lockstep-dir 1\n";

/// Bytes of a line beside the path: a size, a space, the end of the line.
const SIZE_BYTES_MAX: usize = 32;

/// The files of a directory granted to components, by path relative to it, with `/` between names. Directories without
/// files are not kept, nor are times, owners and permissions: equal files are an equal snapshot, wherever they came from.
///
/// It is stored and addressed by its bytes: a header line, then for each file, in the order of the paths, a line with its
/// size and its path, and its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DirSnapshot {
    files: BTreeMap<String, Vec<u8>>,
    bytes: usize,
}

/// Why files are not a snapshot, or bytes not one of a directory. Display is one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DirSnapshotError {
    /// More files than [`DirSnapshot::FILES_MAX`].
    TooManyFiles,
    /// More bytes than [`DirSnapshot::BYTES_MAX`].
    TooLarge,
    /// This is not a path of a file below the directory.
    Path(String),
    /// The bytes are not those of a snapshot.
    Torn,
}

impl fmt::Display for DirSnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyFiles => {
                write!(f, "it has more than the {} files that can be granted", DirSnapshot::FILES_MAX)
            }
            Self::TooLarge => {
                write!(f, "it has more than the {} bytes that can be granted", DirSnapshot::BYTES_MAX)
            }
            Self::Path(path) => write!(f, "{path:?} cannot be the path of a granted file"),
            Self::Torn => f.write_str("these are not the bytes of a snapshot of a directory"),
        }
    }
}

impl std::error::Error for DirSnapshotError {}

impl DirSnapshot {
    /// How it is named where it is sent.
    pub const MEDIA_TYPE: &str = "application/vnd.lockstep.dir";
    /// Bytes of the largest one in its stored form.
    pub const ENCODED_MAX: usize = Self::BYTES_MAX + Self::FILES_MAX * (Self::PATH_MAX + SIZE_BYTES_MAX);
    /// Files in one: each is a line of an index that a component reads whole.
    pub const FILES_MAX: usize = 4096;
    /// Bytes of all files of one: they are kept in memory while components use them.
    pub const BYTES_MAX: usize = 64 << 20;
    /// Bytes of a path.
    pub const PATH_MAX: usize = 1024;

    /// Adds a file.
    ///
    /// # Errors
    /// If it is one too many, one too large, or its path leads out of the directory or through another file.
    pub fn add(&mut self, path: &str, content: Vec<u8>) -> Result<(), DirSnapshotError> {
        let name = |name: &str| !matches!(name, "" | "." | "..");
        let plain = path.len() <= Self::PATH_MAX && !path.chars().any(char::is_control);
        let through_a_file = path.match_indices('/').any(|(at, _)| self.files.contains_key(&path[..at]));
        let below = format!("{path}/");
        let is_a_folder =
            self.files.range(below.clone()..).next().is_some_and(|(next, _)| next.starts_with(&below));
        if !plain
            || !path.split('/').all(name)
            || through_a_file
            || is_a_folder
            || self.files.contains_key(path)
        {
            return Err(DirSnapshotError::Path(path.to_owned()));
        }
        if self.files.len() >= Self::FILES_MAX {
            return Err(DirSnapshotError::TooManyFiles);
        }
        let bytes = self.bytes + content.len();
        if bytes > Self::BYTES_MAX {
            return Err(DirSnapshotError::TooLarge);
        }
        self.bytes = bytes;
        self.files.insert(path.to_owned(), content);
        Ok(())
    }

    /// The files, by path.
    #[must_use]
    pub fn files(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.files
    }

    /// The files, taken out.
    #[must_use]
    pub fn into_files(self) -> BTreeMap<String, Vec<u8>> {
        self.files
    }

    /// As it is stored.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = HEADER.to_vec();
        for (path, content) in &self.files {
            bytes.extend_from_slice(format!("{} {path}\n", content.len()).as_bytes());
            bytes.extend_from_slice(content);
        }
        bytes
    }

    /// From what was stored.
    ///
    /// # Errors
    /// If these are not the bytes [`DirSnapshot::encode`] makes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DirSnapshotError> {
        let mut rest = bytes.strip_prefix(HEADER).ok_or(DirSnapshotError::Torn)?;
        let mut snapshot = Self::default();
        while !rest.is_empty() {
            let torn = || DirSnapshotError::Torn;
            let line = rest
                .iter()
                .take(Self::PATH_MAX + SIZE_BYTES_MAX)
                .position(|byte| *byte == b'\n')
                .ok_or_else(torn)?;
            let (size, path) = std::str::from_utf8(&rest[..line])
                .ok()
                .and_then(|line| line.split_once(' '))
                .ok_or_else(torn)?;
            let size: usize = size.parse().map_err(|_| torn())?;
            let (content, after) = rest[line + 1..].split_at_checked(size).ok_or_else(torn)?;
            snapshot.add(path, content.to_vec())?;
            rest = after;
        }
        // Another order or spelling of the same files would be the same directory under another digest.
        if snapshot.encode() == bytes { Ok(snapshot) } else { Err(DirSnapshotError::Torn) }
    }

    /// Its address.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.encode())
    }
}

#[cfg(test)]
mod tests {
    use super::{DirSnapshot, DirSnapshotError};

    #[test]
    fn what_is_stored_is_what_is_read() {
        let mut snapshot = DirSnapshot::default();
        snapshot.add("b/c", b"2\n".to_vec()).unwrap();
        snapshot.add("a", Vec::new()).unwrap();
        let bytes = snapshot.encode();
        assert_eq!(bytes, b"lockstep-dir 1\n0 a\n2 b/c\n2\n");
        assert_eq!(DirSnapshot::decode(&bytes).unwrap(), snapshot);
        for torn in [&bytes[..bytes.len() - 1], &bytes[..20], b"", b"lockstep-dir 1\n2 b\n2\n0 a\n"] {
            assert_eq!(DirSnapshot::decode(torn), Err(DirSnapshotError::Torn), "{torn:?}");
        }
    }

    #[test]
    fn paths_stay_inside() {
        let mut snapshot = DirSnapshot::default();
        snapshot.add("a", Vec::new()).unwrap();
        for bad in ["", "/x", "x/", "../x", "x/../y", "./x", "x//y", "a/x", "a", "x\ny", &"x".repeat(2000)] {
            let refused = snapshot.add(bad, Vec::new());
            assert_eq!(refused, Err(DirSnapshotError::Path(bad.to_owned())));
        }
        let whole = vec![0; DirSnapshot::BYTES_MAX];
        snapshot.add("b", whole).unwrap();
        assert_eq!(snapshot.add("c", vec![0]), Err(DirSnapshotError::TooLarge));
    }
}
