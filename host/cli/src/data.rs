//! The data folder as processes share it: who has it, where its server is, and the token.

use crate::exit::Refused;
use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Bytes of randomness in a token.
const TOKEN_BYTES: usize = 32;

/// Largest of the small files here; anything longer is not ours.
const SMALL_FILE_MAX: u64 = 4096;

/// A data folder, which need not exist yet.
pub(crate) struct DataFolder {
    path: PathBuf,
}

/// Keeps the data folder to this process until it is dropped, or the process ends in any way.
pub(crate) struct Lock(#[expect(dead_code, reason = "the lock lives as long as its file is open")] File);

/// Who has the folder.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Holder {
    /// Its process id; none while it has not written it yet.
    pub(crate) pid: Option<u32>,
    /// The command it carries out.
    pub(crate) command: String,
}

impl Holder {
    /// Whether its process is there. The lock of one that was killed is held for a moment more by a child it was just
    /// starting.
    pub(crate) fn is_there(&self) -> bool {
        self.pid.is_none_or(|pid| Path::new("/proc").join(pid.to_string()).exists())
    }
}

/// What a try to have the folder came to.
pub(crate) enum Locking {
    /// It is ours.
    Ours(Lock),
    /// Another process has it.
    Held(Holder),
}

/// Where the server of a folder listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ServerFile {
    /// Address without a path: `http://127.0.0.1:7420`.
    pub(crate) url: String,
    /// Its process.
    pub(crate) pid: u32,
}

/// Removes `server.json` when the server ends.
pub(crate) struct Announced(PathBuf);

impl Drop for Announced {
    fn drop(&mut self) {
        // Left behind it does no harm: it names a process that no longer has the lock.
        fs::remove_file(&self.0).unwrap_or_default();
    }
}

impl DataFolder {
    /// The folder that was named, or the default one.
    pub(crate) fn find(named: Option<&Path>) -> anyhow::Result<Self> {
        let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let path = match named {
            Some(path) => std::path::absolute(path)?,
            None => match (variable("XDG_DATA_HOME"), variable("HOME")) {
                (Some(data), _) => data.join("lockstep"),
                (None, Some(home)) => home.join(".local/share/lockstep"),
                (None, None) => {
                    return Refused::because("there is no home folder: name a data folder with --data");
                }
            },
        };
        Ok(Self { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Tries to have the folder for `command`; makes it first where it is missing, for its owner alone.
    pub(crate) fn try_lock(&self, command: &str) -> anyhow::Result<Locking> {
        let shown = self.path.display();
        if let Some(parent) = self.path.parent() {
            fs::create_dir_all(parent).with_context(|| format!("the data folder {shown} cannot be made"))?;
        }
        match DirBuilder::new().mode(0o700).create(&self.path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(error).with_context(|| format!("the data folder {shown} cannot be made"));
            }
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let opened = options.open(self.path.join("lock"));
        let mut file = opened.with_context(|| format!("the data folder {shown} cannot be used"))?;
        match file.try_lock() {
            Ok(()) => {
                let holder = Holder { pid: Some(std::process::id()), command: command.to_owned() };
                file.set_len(0)?;
                serde_json::to_writer(&mut file, &holder)
                    .context("the lock of the data folder cannot be written")?;
                Ok(Locking::Ours(Lock(file)))
            }
            Err(TryLockError::WouldBlock) => Ok(Locking::Held(self.read("lock").unwrap_or_default())),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("the data folder {shown} cannot be locked"))
            }
        }
    }

    /// Where the server listens that has the folder as `holder`. A file that a server left behind when it was killed
    /// names another process, and is not believed.
    pub(crate) fn server_of(&self, holder: &Holder) -> Option<ServerFile> {
        let file: ServerFile = self.read("server.json")?;
        (holder.pid == Some(file.pid)).then_some(file)
    }

    /// Says where the server listens, for as long as the answer lives.
    pub(crate) fn announce(&self, file: &ServerFile) -> anyhow::Result<Announced> {
        self.write_private("server.json", &serde_json::to_string(file)?)?;
        Ok(Announced(self.path.join("server.json")))
    }

    /// The token of the folder, if it has one.
    pub(crate) fn token(&self) -> Option<String> {
        let text = self.read_small("token")?.trim().to_owned();
        (!text.is_empty()).then_some(text)
    }

    /// The token of the folder; made at random the first time.
    pub(crate) fn token_or_new(&self) -> anyhow::Result<String> {
        if let Some(token) = self.token() {
            // Whoever copied the folder may have widened it.
            fs::set_permissions(self.path.join("token"), fs::Permissions::from_mode(0o600))?;
            return Ok(token);
        }
        let token = random_text()?;
        self.write_private("token", &token)?;
        Ok(token)
    }

    /// Writes a file that only its owner may read, whole or not at all.
    fn write_private(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let (path, partial) = (self.path.join(name), self.path.join(format!("{name}.partial")));
        let write = || {
            let mut options = OpenOptions::new();
            let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&partial)?;
            writeln!(file, "{text}")?;
            file.sync_all()?;
            fs::rename(&partial, &path)
        };
        write().with_context(|| format!("{} cannot be written", path.display()))
    }

    fn read<T: for<'de> Deserialize<'de>>(&self, name: &str) -> Option<T> {
        serde_json::from_str(&self.read_small(name)?).ok()
    }

    fn read_small(&self, name: &str) -> Option<String> {
        let mut text = String::new();
        File::open(self.path.join(name)).ok()?.take(SMALL_FILE_MAX).read_to_string(&mut text).ok()?;
        Some(text)
    }
}

/// 256 random bits in hexadecimal.
pub(crate) fn random_text() -> anyhow::Result<String> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow::anyhow!("the machine gives no randomness: {error}"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::{DataFolder, Holder, Locking, ServerFile};
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: impl AsRef<std::path::Path>) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_folder_has_one_user_at_a_time_who_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/data");
        let folder = DataFolder::find(Some(&path)).unwrap();
        let Locking::Ours(lock) = folder.try_lock("run").unwrap() else { panic!("nobody else has it") };
        assert_eq!(mode(&path), 0o700);
        let Locking::Held(holder) = folder.try_lock("runs list").unwrap() else { panic!("it is taken") };
        assert_eq!(holder, Holder { pid: Some(std::process::id()), command: "run".to_owned() });
        drop(lock);
        assert!(matches!(folder.try_lock("serve").unwrap(), Locking::Ours(_)));
    }

    #[test]
    fn only_the_process_that_has_the_folder_is_its_server() {
        let dir = tempfile::tempdir().unwrap();
        let folder = DataFolder::find(Some(dir.path())).unwrap();
        let file = ServerFile { url: "http://127.0.0.1:1".to_owned(), pid: 7 };
        let announced = folder.announce(&file).unwrap();
        let holder = |pid| Holder { pid, command: "serve".to_owned() };
        assert_eq!(mode(dir.path().join("server.json")), 0o600);
        assert_eq!(folder.server_of(&holder(Some(7))), Some(file));
        assert_eq!(folder.server_of(&holder(Some(8))), None);
        assert_eq!(folder.server_of(&holder(None)), None);
        drop(announced);
        assert_eq!(folder.server_of(&holder(Some(7))), None);
    }

    #[test]
    fn the_token_is_made_once_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let folder = DataFolder::find(Some(dir.path())).unwrap();
        assert_eq!(folder.token(), None);
        let token = folder.token_or_new().unwrap();
        assert_eq!(token.len(), 64);
        fs::set_permissions(dir.path().join("token"), fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(folder.token_or_new().unwrap(), token);
        assert_eq!(mode(dir.path().join("token")), 0o600);
    }
}
