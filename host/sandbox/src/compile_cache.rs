use lockstep_types::Digest;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use wasmtime::Engine;
use wasmtime::component::Component;

/// Begins every file of compiled code; the digit is the version of the header.
const MAGIC: &[u8; 8] = b"lockcwm1";

/// Magic and the SHA-256 of what follows.
const HEADER_BYTES: usize = MAGIC.len() + 32;

/// Bytes of a file of compiled code that are read at most: code is about three times the component, the largest of
/// which have 64 MiB.
const FILE_BYTES_MAX: u64 = 512 << 20;

/// Compiled code on disk, by the digest of the component, in a folder for one configuration.
///
/// It is only a cache: a file that is missing, torn or foreign is compiled anew. The checksum guards against
/// accidents. Against others guards the folder, which only its owner may enter: compiled code is native code.
pub(crate) struct CompileCache {
    folder: PathBuf,
}

impl CompileCache {
    pub(crate) fn open(cache_dir: &Path, code: Digest) -> io::Result<Self> {
        let folder = cache_dir.join(code.to_string());
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&folder)?;
        Ok(Self { folder })
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(format!("{digest}.cwasm"))
    }

    /// The compiled component, if it is here and whole.
    pub(crate) fn load(&self, engine: &Engine, digest: &Digest) -> Option<Component> {
        let path = self.path(digest);
        let loaded = read(&path).and_then(|file| deserialize(engine, &file));
        match loaded {
            Ok(component) => Some(component),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "compiled code is unusable; compiling again");
                None
            }
        }
    }

    /// Keeps compiled code. Whoever loads it meanwhile sees the file before or after, never between.
    pub(crate) fn keep(&self, digest: &Digest, component: &Component) {
        static UNIQUE: AtomicU64 = AtomicU64::new(0);
        let unique = UNIQUE.fetch_add(1, Ordering::Relaxed);
        let temporary = self.folder.join(format!("{digest}.{}.{unique}.tmp", std::process::id()));
        let kept = component.serialize().map_err(io::Error::other).and_then(|code| {
            write(&temporary, &code)?;
            fs::rename(&temporary, self.path(digest))
        });
        if let Err(error) = kept {
            // Without the file the next start compiles again; nothing else is lost.
            tracing::warn!(folder = %self.folder.display(), %error, "compiled code could not be kept");
            drop(fs::remove_file(&temporary));
        }
    }
}

fn write(path: &Path, code: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(MAGIC)?;
    file.write_all(Digest::of(code).bytes())?;
    file.write_all(code)?;
    // The checksum finds a file torn by a crash; waiting for the disk would only slow down the first start.
    Ok(())
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = fs::File::open(path)?;
    let size = file.metadata()?.len();
    if size > FILE_BYTES_MAX {
        return Err(io::Error::other(format!("{size} bytes are more than {FILE_BYTES_MAX}")));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn deserialize(engine: &Engine, file: &[u8]) -> io::Result<Component> {
    let Some((header, code)) = file.split_at_checked(HEADER_BYTES) else {
        return Err(io::Error::other("it is too short"));
    };
    let (magic, sum) = header.split_at(MAGIC.len());
    if magic != MAGIC {
        return Err(io::Error::other("it is not a file of this cache"));
    }
    if sum != Digest::of(code).bytes() {
        return Err(io::Error::other("its checksum is wrong"));
    }
    #[allow(unsafe_code, reason = "loading compiled code is the only way not to compile at every start")]
    // SAFETY: the code comes from a folder only the owner of this process may write to, its checksum says it is what
    // `keep` wrote there, and wasmtime itself refuses the code of another version, configuration or processor.
    let component = unsafe { Component::deserialize(engine, code) };
    component.map_err(|error| io::Error::other(format!("{error:#}")))
}

#[cfg(test)]
mod tests {
    use super::{CompileCache, HEADER_BYTES};
    use crate::config::{Allocation, code_fingerprint, config};
    use crate::limits::Limits;
    use lockstep_types::Digest;
    use std::fs;
    use wasmtime::component::Component;
    use wasmtime::{Config, Engine};

    fn engine() -> Engine {
        Engine::new(&config(&Limits::default(), Allocation::OnDemand)).unwrap()
    }

    #[test]
    fn what_was_kept_is_loaded_and_what_is_not_whole_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let cache = CompileCache::open(folder.path(), code_fingerprint()).unwrap();
        let (engine, digest) = (engine(), Digest::of(b"empty"));
        assert!(cache.load(&engine, &digest).is_none(), "not there yet");

        let component = Component::from_binary(&engine, &wat::parse_str("(component)").unwrap()).unwrap();
        cache.keep(&digest, &component);
        assert!(cache.load(&engine, &digest).is_some());
        assert!(cache.load(&engine, &Digest::of(b"other")).is_none());

        let path = cache.path(&digest);
        let whole = fs::read(&path).unwrap();
        let changed = |at: usize| {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            bytes
        };
        let damaged = [
            Vec::new(),
            whole[..HEADER_BYTES - 1].to_vec(),
            whole[..HEADER_BYTES].to_vec(),
            whole[..whole.len() - 1].to_vec(),
            changed(0),
            changed(HEADER_BYTES - 1),
            changed(whole.len() - 1),
        ];
        for bytes in damaged {
            fs::write(&path, &bytes).unwrap();
            assert!(cache.load(&engine, &digest).is_none(), "{} bytes", bytes.len());
        }
        cache.keep(&digest, &component);
        assert!(cache.load(&engine, &digest).is_some(), "kept over what was damaged");
    }

    #[test]
    fn code_of_another_configuration_is_not_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let cache = CompileCache::open(folder.path(), code_fingerprint()).unwrap();
        let other = Engine::new(&Config::new()).unwrap();
        let digest = Digest::of(b"empty");
        let component = Component::from_binary(&other, &wat::parse_str("(component)").unwrap()).unwrap();
        cache.keep(&digest, &component);
        assert!(cache.load(&other, &digest).is_some());
        assert!(cache.load(&engine(), &digest).is_none(), "another fuel setting, as it happens");
    }
}
