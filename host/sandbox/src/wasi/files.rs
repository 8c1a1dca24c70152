use super::Budget;
use super::tree::{Found, Tree, join};
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;
use wasmtime::component::{HasData, Resource, ResourceTable};
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    self, Descriptor, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, DirectoryEntryStream,
    ErrorCode, Filesize, Host, HostDescriptor, HostDirectoryEntryStream, MetadataHashValue, NewTimestamp,
    OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, FsError, FsResult, InputStream, Pollable, StreamError, StreamResult,
};

/// When every file was last changed: the first time that every archive format can hold, 1980-01-01.
const CHANGED: Datetime = Datetime { seconds: 315_532_800, nanoseconds: 0 };

/// Bytes read at once.
const READ_BYTES_MAX: usize = 64 << 10;

/// Says that the host traits are implemented by `View`.
pub(super) struct HasFiles;

impl HasData for HasFiles {
    type Data<'a> = View<'a>;
}

/// Granted directories, and the table in which what is open is kept. What a component holds as wasmtime's `Descriptor` is
/// a `Node` here, so nothing of wasmtime's own file system can be reached.
pub(crate) struct View<'a> {
    pub(super) table: &'a mut ResourceTable,
    pub(super) dirs: &'a [(String, Arc<Tree>)],
    pub(super) budget: &'a Budget,
}

/// An open file or folder.
struct Node {
    tree: Arc<Tree>,
    path: String,
    found: Found,
}

/// What is left of a folder's listing.
struct Listing(std::vec::IntoIter<DirectoryEntry>);

impl Node {
    fn stat(&self) -> DescriptorStat {
        let size = match &self.found {
            Found::File(content) => content.len() as u64,
            Found::Folder => 0,
        };
        DescriptorStat {
            type_: self.kind(),
            link_count: 1,
            size,
            data_access_timestamp: Some(CHANGED),
            data_modification_timestamp: Some(CHANGED),
            status_change_timestamp: Some(CHANGED),
        }
    }

    fn kind(&self) -> DescriptorType {
        match self.found {
            Found::File(_) => DescriptorType::RegularFile,
            Found::Folder => DescriptorType::Directory,
        }
    }

    fn content(&self) -> Result<&Bytes, ErrorCode> {
        match &self.found {
            Found::File(content) => Ok(content),
            Found::Folder => Err(ErrorCode::IsDirectory),
        }
    }

    fn metadata_hash(&self) -> MetadataHashValue {
        let digest = self.tree.digest_of(&self.path);
        let half =
            |at: usize| digest.bytes()[at..at + 8].iter().fold(0, |half, byte| half << 8 | u64::from(*byte));
        MetadataHashValue { lower: half(0), upper: half(8) }
    }

    /// What `path` leads to from this folder, which it cannot leave.
    fn at(&self, path: &str) -> Result<Self, ErrorCode> {
        if matches!(self.found, Found::File(_)) {
            return Err(ErrorCode::NotDirectory);
        }
        if path.starts_with('/') {
            return Err(ErrorCode::NotPermitted);
        }
        if path.is_empty() {
            return Err(ErrorCode::NoEntry);
        }
        let (mut names, mut found) = (Vec::new(), Found::Folder);
        for name in path.split('/') {
            if matches!(found, Found::File(_)) {
                return Err(ErrorCode::NotDirectory);
            }
            match name {
                "" | "." => continue,
                ".." => drop(names.pop().ok_or(ErrorCode::NotPermitted)?),
                name => names.push(name),
            }
            found = self.tree.at(&self.below(&names)).ok_or(ErrorCode::NoEntry)?;
        }
        Ok(Self { tree: Arc::clone(&self.tree), path: self.below(&names), found })
    }

    fn below(&self, names: &[&str]) -> String {
        names.iter().fold(self.path.clone(), |path, name| join(&path, name))
    }
}

/// The content of the file that `path` leads to from the root of a directory.
pub(super) fn read_at(tree: Arc<Tree>, path: &str) -> Option<Vec<u8>> {
    let root = Node { tree, path: String::new(), found: Found::Folder };
    root.at(path).ok()?.content().ok().map(|content| content.to_vec())
}

impl View<'_> {
    fn node(&self, fd: &Resource<Descriptor>) -> FsResult<&Node> {
        Ok(self.table.get(&Resource::<Node>::new_borrow(fd.rep()))?)
    }

    fn open(&mut self, node: Node) -> wasmtime::Result<Resource<Descriptor>> {
        Ok(Resource::new_own(self.table.push(node)?.rep()))
    }
}

fn read_only<T>() -> FsResult<T> {
    Err(ErrorCode::ReadOnly.into())
}

impl preopens::Host for View<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        let dirs = self.dirs;
        let open = |(path, tree): &(String, Arc<Tree>)| {
            let node = Node { tree: Arc::clone(tree), path: String::new(), found: Found::Folder };
            Ok((self.open(node)?, path.clone()))
        };
        dirs.iter().map(open).collect()
    }
}

impl Host for View<'_> {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        error.downcast()
    }

    fn filesystem_error_code(
        &mut self,
        _error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        // Reading what is in memory does not fail.
        Ok(None)
    }
}

impl HostDescriptor for View<'_> {
    async fn advise(
        &mut self,
        fd: Resource<Descriptor>,
        _offset: Filesize,
        _len: Filesize,
        _advice: types::Advice,
    ) -> FsResult<()> {
        self.node(&fd).map(|_| ())
    }

    async fn sync_data(&mut self, fd: Resource<Descriptor>) -> FsResult<()> {
        self.node(&fd).map(|_| ())
    }

    async fn sync(&mut self, fd: Resource<Descriptor>) -> FsResult<()> {
        self.node(&fd).map(|_| ())
    }

    async fn get_flags(&mut self, fd: Resource<Descriptor>) -> FsResult<DescriptorFlags> {
        self.node(&fd).map(|_| DescriptorFlags::READ)
    }

    async fn get_type(&mut self, fd: Resource<Descriptor>) -> FsResult<DescriptorType> {
        Ok(self.node(&fd)?.kind())
    }

    async fn stat(&mut self, fd: Resource<Descriptor>) -> FsResult<DescriptorStat> {
        Ok(self.node(&fd)?.stat())
    }

    async fn stat_at(
        &mut self,
        fd: Resource<Descriptor>,
        _path_flags: PathFlags,
        path: String,
    ) -> FsResult<DescriptorStat> {
        Ok(self.node(&fd)?.at(&path)?.stat())
    }

    async fn read(
        &mut self,
        fd: Resource<Descriptor>,
        len: Filesize,
        offset: Filesize,
    ) -> FsResult<(Vec<u8>, bool)> {
        let content = self.node(&fd)?.content()?;
        let part = part(content, offset, usize::try_from(len).unwrap_or(usize::MAX));
        self.budget.take(part.len()).map_err(FsError::trap)?;
        let is_end = part.is_empty() && len > 0;
        Ok((part.to_vec(), is_end))
    }

    fn read_via_stream(
        &mut self,
        fd: Resource<Descriptor>,
        offset: Filesize,
    ) -> FsResult<Resource<DynInputStream>> {
        let rest = part(self.node(&fd)?.content()?, offset, usize::MAX);
        let stream: DynInputStream = Box::new(Reading { rest, budget: self.budget.clone() });
        Ok(self.table.push(stream)?)
    }

    async fn read_directory(&mut self, fd: Resource<Descriptor>) -> FsResult<Resource<DirectoryEntryStream>> {
        let node = self.node(&fd)?;
        if node.content().is_ok() {
            return Err(ErrorCode::NotDirectory.into());
        }
        let names = node.tree.names(&node.path);
        self.budget.take(names.iter().map(|(name, _)| name.len()).sum()).map_err(FsError::trap)?;
        let entry = |(name, is_folder)| {
            let type_ = if is_folder { DescriptorType::Directory } else { DescriptorType::RegularFile };
            DirectoryEntry { type_, name }
        };
        let entries: Vec<_> = names.into_iter().map(entry).collect();
        Ok(Resource::new_own(self.table.push(Listing(entries.into_iter()))?.rep()))
    }

    async fn open_at(
        &mut self,
        fd: Resource<Descriptor>,
        _path_flags: PathFlags,
        path: String,
        open_flags: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Resource<Descriptor>> {
        let node = match self.node(&fd)?.at(&path) {
            Err(ErrorCode::NoEntry) if open_flags.contains(OpenFlags::CREATE) => return read_only(),
            found => found?,
        };
        if open_flags.contains(OpenFlags::CREATE | OpenFlags::EXCLUSIVE) {
            return Err(ErrorCode::Exist.into());
        }
        if open_flags.contains(OpenFlags::DIRECTORY) && node.content().is_ok() {
            return Err(ErrorCode::NotDirectory.into());
        }
        if open_flags.contains(OpenFlags::TRUNCATE) || flags.contains(DescriptorFlags::WRITE) {
            return read_only();
        }
        self.open(node).map_err(FsError::trap)
    }

    async fn readlink_at(&mut self, fd: Resource<Descriptor>, path: String) -> FsResult<String> {
        self.node(&fd)?.at(&path)?;
        // There are no links.
        Err(ErrorCode::Invalid.into())
    }

    async fn is_same_object(
        &mut self,
        a: Resource<Descriptor>,
        b: Resource<Descriptor>,
    ) -> wasmtime::Result<bool> {
        let (a, b) = (Resource::<Node>::new_borrow(a.rep()), Resource::<Node>::new_borrow(b.rep()));
        let (a, b) = (self.table.get(&a)?, self.table.get(&b)?);
        Ok(Arc::ptr_eq(&a.tree, &b.tree) && a.path == b.path)
    }

    async fn metadata_hash(&mut self, fd: Resource<Descriptor>) -> FsResult<MetadataHashValue> {
        Ok(self.node(&fd)?.metadata_hash())
    }

    async fn metadata_hash_at(
        &mut self,
        fd: Resource<Descriptor>,
        _path_flags: PathFlags,
        path: String,
    ) -> FsResult<MetadataHashValue> {
        Ok(self.node(&fd)?.at(&path)?.metadata_hash())
    }

    fn drop(&mut self, fd: Resource<Descriptor>) -> wasmtime::Result<()> {
        self.table.delete(Resource::<Node>::new_own(fd.rep()))?;
        Ok(())
    }

    // What would change something.

    async fn set_size(&mut self, _: Resource<Descriptor>, _: Filesize) -> FsResult<()> {
        read_only()
    }

    async fn set_times(&mut self, _: Resource<Descriptor>, _: NewTimestamp, _: NewTimestamp) -> FsResult<()> {
        read_only()
    }

    async fn set_times_at(
        &mut self,
        _: Resource<Descriptor>,
        _: PathFlags,
        _: String,
        _: NewTimestamp,
        _: NewTimestamp,
    ) -> FsResult<()> {
        read_only()
    }

    async fn write(&mut self, _: Resource<Descriptor>, _: Vec<u8>, _: Filesize) -> FsResult<Filesize> {
        read_only()
    }

    fn write_via_stream(
        &mut self,
        _: Resource<Descriptor>,
        _: Filesize,
    ) -> FsResult<Resource<DynOutputStream>> {
        read_only()
    }

    fn append_via_stream(&mut self, _: Resource<Descriptor>) -> FsResult<Resource<DynOutputStream>> {
        read_only()
    }

    async fn create_directory_at(&mut self, _: Resource<Descriptor>, _: String) -> FsResult<()> {
        read_only()
    }

    async fn link_at(
        &mut self,
        _: Resource<Descriptor>,
        _: PathFlags,
        _: String,
        _: Resource<Descriptor>,
        _: String,
    ) -> FsResult<()> {
        read_only()
    }

    async fn remove_directory_at(&mut self, _: Resource<Descriptor>, _: String) -> FsResult<()> {
        read_only()
    }

    async fn rename_at(
        &mut self,
        _: Resource<Descriptor>,
        _: String,
        _: Resource<Descriptor>,
        _: String,
    ) -> FsResult<()> {
        read_only()
    }

    async fn symlink_at(&mut self, _: Resource<Descriptor>, _: String, _: String) -> FsResult<()> {
        read_only()
    }

    async fn unlink_file_at(&mut self, _: Resource<Descriptor>, _: String) -> FsResult<()> {
        read_only()
    }
}

impl HostDirectoryEntryStream for View<'_> {
    async fn read_directory_entry(
        &mut self,
        stream: Resource<DirectoryEntryStream>,
    ) -> FsResult<Option<DirectoryEntry>> {
        let listing = self.table.get_mut(&Resource::<Listing>::new_borrow(stream.rep()))?;
        Ok(listing.0.next())
    }

    fn drop(&mut self, stream: Resource<DirectoryEntryStream>) -> wasmtime::Result<()> {
        self.table.delete(Resource::<Listing>::new_own(stream.rep()))?;
        Ok(())
    }
}

/// The bytes from `offset` on, as many as may be read at once and no more than `len`; without copying them.
fn part(content: &Bytes, offset: u64, len: usize) -> Bytes {
    let start = usize::try_from(offset).unwrap_or(usize::MAX).min(content.len());
    content.slice(start..start.saturating_add(len).min(content.len()))
}

/// A file being read.
struct Reading {
    rest: Bytes,
    budget: Budget,
}

#[async_trait]
impl Pollable for Reading {
    async fn ready(&mut self) {}
}

impl InputStream for Reading {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if self.rest.is_empty() {
            return Err(StreamError::Closed);
        }
        let size = size.min(READ_BYTES_MAX).min(self.rest.len());
        self.budget.take(size).map_err(|breach| StreamError::Trap(breach.into()))?;
        Ok(self.rest.split_to(size))
    }
}

#[cfg(test)]
mod tests {
    use super::{ErrorCode, Found, Node, Tree};
    use lockstep_types::DirSnapshot;
    use std::sync::Arc;

    fn folder() -> Node {
        let mut snapshot = DirSnapshot::default();
        for path in ["a.txt", "b/c.txt"] {
            snapshot.add(path, path.as_bytes().to_vec()).unwrap();
        }
        let tree = Arc::new(Tree::new(snapshot.digest(), snapshot));
        Node { tree, path: String::new(), found: Found::Folder }
    }

    #[test]
    fn no_path_leaves_the_folder() {
        let denied = ["..", "../a.txt", "b/../..", "./../a.txt", "b/../../../../etc/passwd", "b//../.."];
        let absolute = ["/", "/etc/passwd", "//etc/passwd", "/proc/self/environ", "/data/a.txt"];
        for path in denied.into_iter().chain(absolute) {
            assert!(matches!(folder().at(path), Err(ErrorCode::NotPermitted)), "{path}");
        }
        let nowhere = [
            "a.txt\0",
            "\0",
            "b\0/../a.txt",
            "...",
            ".. ",
            "proc/self",
            "a.txt\n",
            "b\\c.txt",
            "\u{2024}./a.txt",
        ];
        for path in nowhere {
            assert!(matches!(folder().at(path), Err(ErrorCode::NoEntry)), "{path:?}");
        }
        for path in ["a.txt/", "a.txt/.", "a.txt/..", "a.txt/../b/c.txt"] {
            assert!(matches!(folder().at(path), Err(ErrorCode::NotDirectory)), "{path}");
        }
        for (path, leads_to) in
            [("b/", "b"), ("b//c.txt", "b/c.txt"), ("./b/../a.txt", "a.txt"), ("b/..", "")]
        {
            assert_eq!(folder().at(path).map(|node| node.path), Ok(leads_to.to_owned()), "{path}");
        }
    }

    #[test]
    fn a_folder_below_is_left_by_no_path_either() {
        let below = folder().at("b").unwrap();
        assert!(below.at("c.txt").is_ok());
        for path in ["..", "../a.txt", "c.txt/../../a.txt"] {
            assert!(below.at(path).is_err(), "{path}");
        }
    }
}
