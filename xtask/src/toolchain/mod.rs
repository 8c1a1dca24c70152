//! Finds or makes a Rust compiler for [`TARGET`].
//!
//! Routes, the first that fits: `env` (`WASM_RUSTC` names one), `native` (the compiler on PATH has the
//! target), `cached` (made earlier), `rust-src` (std built from the toolchain's own source), `debian`
//! (Debian's `rustc-web`, unpacked into the cache). Nothing is installed system-wide, nothing needs root,
//! and `rustup` is never run: it is a person's own decision to change a toolchain.

mod debian;
mod sysroot;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};
use sha2::{Digest, Sha256};

use crate::workspace;

/// What guests are compiled for: no WASI, so a component imports what its world says and nothing else.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

const ADVICE: &str = "no compiler for wasm32-unknown-unknown; on a machine with rustup run `rustup target add \
                      wasm32-unknown-unknown`, or set WASM_RUSTC to a rustc that has that target";

/// Written last into a made toolchain's directory; without it the directory is a set-up that was interrupted.
const COMPLETE: &str = "complete";

/// A compiler that can build guests.
pub(crate) struct Toolchain {
    pub(crate) route: &'static str,
    /// A real `rustc` or a wrapper of one.
    pub(crate) rustc: PathBuf,
    /// Set when the compiler cannot find a linker for wasm by itself.
    pub(crate) linker: Option<PathBuf>,
    /// The text of `rustc -vV`.
    version: String,
}

impl Toolchain {
    /// The compiler in a few words.
    pub(crate) fn name(&self) -> &str {
        self.version.lines().next().unwrap_or("rustc")
    }

    /// Names the target directory: cargo does not notice that a compiler's std has changed.
    pub(crate) fn key(&self) -> String {
        let linker = self.linker.as_deref().map(Path::as_os_str).unwrap_or_default();
        let mut hash = Sha256::new();
        hash.update(self.route);
        hash.update(&self.version);
        hash.update(self.rustc.as_os_str().as_encoded_bytes());
        hash.update(linker.as_encoded_bytes());
        hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The compiler on PATH, as far as there is one.
struct OnPath {
    version: String,
    release: String,
    host: String,
    sysroot: PathBuf,
    has_target: bool,
}

impl OnPath {
    fn look() -> Result<Self> {
        let version = workspace::output(Command::new("rustc").arg("-vV"))?;
        let paths = ["--print", "sysroot", "--print", "target-libdir", "--target", TARGET];
        let paths = workspace::output(Command::new("rustc").args(paths))?;
        let mut paths = paths.lines().map(PathBuf::from);
        let (Some(sysroot), Some(libdir)) = (paths.next(), paths.next()) else {
            bail!("rustc did not say where its sysroot is");
        };
        let (release, host) = (field(&version, "release"), field(&version, "host"));
        Ok(Self { release, host, has_target: has_core(&libdir), sysroot, version })
    }

    /// The linker that comes with a toolchain of rustup.
    fn rust_lld(&self) -> Option<PathBuf> {
        let path = self.sysroot.join("lib/rustlib").join(&self.host).join("bin/rust-lld");
        path.is_file().then_some(path)
    }

    fn has_source(&self) -> bool {
        self.sysroot.join("lib/rustlib/src/rust/library/Cargo.lock").is_file()
    }
}

/// What there is to build with, before anything is made.
enum Plan {
    Ready(Toolchain),
    FromSource,
    FromDebian,
}

/// The name of the route a build would take now, and why the ones before it do not fit.
pub(crate) fn print_route() -> Result<()> {
    let mut passed = Vec::new();
    let plan = plan(&cache_dir()?, &mut passed)?;
    for reason in &passed {
        eprintln!("{reason}");
    }
    let route = match plan {
        Plan::Ready(toolchain) => toolchain.route,
        Plan::FromSource => "rust-src",
        Plan::FromDebian => "debian",
    };
    println!("{route}");
    Ok(())
}

/// Finds a compiler, or makes one in the cache.
pub(crate) fn find_or_make() -> Result<Toolchain> {
    let cache = cache_dir()?;
    if let Plan::Ready(toolchain) = plan(&cache, &mut Vec::new())? {
        return Ok(toolchain);
    }
    fs::create_dir_all(&cache).with_context(|| format!("cannot create {}", cache.display()))?;
    let path = cache.join("lock");
    let lock = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
    if lock.try_lock().is_err() {
        eprintln!("guests: waiting for another build that is setting up the compiler in {}", cache.display());
        lock.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    }
    // Another build may have made it while this one waited.
    let mut passed = Vec::new();
    match plan(&cache, &mut passed)? {
        Plan::Ready(toolchain) => return Ok(toolchain),
        Plan::FromSource => {
            let path = OnPath::look()?;
            make_from_source(&path, &source_dir(&cache, &path)).context(ADVICE)?;
        }
        Plan::FromDebian => make_from_debian(&cache).context(ADVICE)?,
    }
    match plan(&cache, &mut passed)? {
        Plan::Ready(toolchain) => Ok(toolchain),
        _ => bail!(
            "the compiler was made in {} but is not usable; remove that directory and try again",
            cache.display()
        ),
    }
}

fn plan(cache: &Path, passed: &mut Vec<String>) -> Result<Plan> {
    if let Some(rustc) = std::env::var_os("WASM_RUSTC").filter(|value| !value.is_empty()) {
        return from_env(PathBuf::from(rustc)).map(Plan::Ready);
    }
    passed.push("env: WASM_RUSTC is not set".into());
    let on_path = match OnPath::look() {
        Ok(found) if found.has_target => {
            return Ok(Plan::Ready(Toolchain {
                route: "native",
                rustc: "rustc".into(),
                linker: None,
                version: found.version,
            }));
        }
        Ok(found) => {
            passed.push(format!("native: rustc {} has no std for {TARGET}", found.release));
            Some(found)
        }
        Err(error) => {
            passed.push(format!("native: {}", one_line(&error)));
            None
        }
    };
    if let Some(toolchain) = cached(cache, on_path.as_ref()) {
        return Ok(Plan::Ready(toolchain));
    }
    passed.push(format!("cached: nothing complete in {}", cache.display()));
    match &on_path {
        Some(found) if found.has_source() && linker(Some(found), cache).is_some() => {
            return Ok(Plan::FromSource);
        }
        Some(found) if found.has_source() => {
            passed.push("rust-src: there is no rust-lld or wasm-ld to link with".into());
        }
        _ => passed.push("rust-src: the toolchain has no rust-src component".into()),
    }
    match crate::debian::usable() {
        Ok(()) => Ok(Plan::FromDebian),
        Err(error) => {
            passed.push(format!("debian: {}", one_line(&error)));
            Err(anyhow!("{ADVICE}. Routes tried:\n  {}", passed.join("\n  ")))
        }
    }
}

fn from_env(rustc: PathBuf) -> Result<Toolchain> {
    let print = ["--print", "target-libdir", "--target", TARGET];
    let libdir = workspace::output(Command::new(&rustc).args(print)).context("WASM_RUSTC does not work")?;
    if !has_core(Path::new(libdir.trim_end())) {
        bail!("WASM_RUSTC={} has no std for {TARGET}; unset it or name another", rustc.display());
    }
    let version = workspace::output(Command::new(&rustc).arg("-vV"))?;
    let linker = std::env::var_os("WASM_LINKER").map(PathBuf::from);
    Ok(Toolchain { route: "env", rustc, linker, version })
}

/// A toolchain made earlier that still fits: std built from source belongs to one exact compiler.
fn cached(cache: &Path, on_path: Option<&OnPath>) -> Option<Toolchain> {
    let from_source = on_path.filter(|path| path.has_source()).map(|path| source_dir(cache, path));
    let dir = [from_source, Some(cache.join("debian"))].into_iter().flatten().find(|dir| is_complete(dir))?;
    let version = fs::read_to_string(dir.join(COMPLETE)).ok()?;
    Some(Toolchain {
        route: "cached",
        rustc: dir.join("rustc"),
        linker: Some(linker(on_path, cache)?),
        version,
    })
}

fn is_complete(dir: &Path) -> bool {
    let Ok(version) = fs::read_to_string(dir.join(COMPLETE)) else { return false };
    let libdir = dir.join("sysroot/lib/rustlib").join(TARGET).join("lib");
    new_enough(&field(&version, "release")) && dir.join("rustc").is_file() && has_core(&libdir)
}

fn make_from_source(on_path: &OnPath, dir: &Path) -> Result<()> {
    let linker = linker(Some(on_path), dir).context("no rust-lld or wasm-ld to link with")?;
    eprintln!(
        "guests: building std for {TARGET} from the toolchain's rust-src, once, into {} (about half a minute; \
         nothing is installed system-wide)",
        dir.display()
    );
    clear(dir)?;
    sysroot::build(Path::new("rustc"), &linker, dir)?;
    finish(dir)
}

fn make_from_debian(cache: &Path) -> Result<()> {
    let dir = cache.join("debian");
    clear(&dir)?;
    let on_path = OnPath::look().ok();
    let has_linker = linker(on_path.as_ref(), cache).is_some();
    let apt_dir = cache.join("apt");
    let base = debian::unpack(&dir, &apt_dir, has_linker)?;
    let linker = linker(on_path.as_ref(), cache).context("no rust-lld or wasm-ld to link with")?;
    sysroot::build(&base, &linker, &dir)?;
    debian::drop_leftovers(&dir, &apt_dir)?;
    finish(&dir)
}

/// The wasm linker to name to a compiler that was made in the cache.
fn linker(on_path: Option<&OnPath>, cache: &Path) -> Option<PathBuf> {
    let named = std::env::var_os("WASM_LINKER").map(PathBuf::from);
    let unpacked = cache.join("debian").join(debian::LINKER);
    named
        .or_else(|| on_path.and_then(OnPath::rust_lld))
        .or_else(|| unpacked.is_file().then_some(unpacked))
        .or_else(|| workspace::find_on_path("wasm-ld"))
}

fn clear(dir: &Path) -> Result<()> {
    // The mark goes first: a removal that is interrupted must not leave a directory that counts as whole.
    for removed in [fs::remove_file(dir.join(COMPLETE)), fs::remove_dir_all(dir)] {
        match removed {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot clear {}", dir.display()));
            }
            _ => {}
        }
    }
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))
}

fn finish(dir: &Path) -> Result<()> {
    let rustc = dir.join("rustc");
    let version = workspace::output(Command::new(&rustc).arg("-vV"))?;
    let partial = dir.join("complete.partial");
    fs::write(&partial, version).and_then(|()| fs::rename(&partial, dir.join(COMPLETE)))?;
    Ok(())
}

fn source_dir(cache: &Path, on_path: &OnPath) -> PathBuf {
    let hash: String =
        Sha256::digest(&on_path.version).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    cache.join(format!("rust-src-{}-{hash}", on_path.release))
}

fn cache_dir() -> Result<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(dir) = set("LOCKSTEP_TOOLCHAIN_CACHE") {
        return std::path::absolute(dir).context("LOCKSTEP_TOOLCHAIN_CACHE");
    }
    let caches = set("XDG_CACHE_HOME").or_else(|| workspace::home().map(|home| home.join(".cache")));
    let caches = caches
        .context("neither HOME nor XDG_CACHE_HOME is set; set LOCKSTEP_TOOLCHAIN_CACHE to a directory")?;
    Ok(caches.join("lockstep/wasm-toolchain"))
}

fn has_core(libdir: &Path) -> bool {
    fs::read_dir(libdir).is_ok_and(|entries| {
        entries.flatten().any(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with("libcore-") && name.ends_with(".rlib")
        })
    })
}

/// The value of `name: value` in the text of `rustc -vV`.
fn field(version: &str, name: &str) -> String {
    let value = version.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    value.unwrap_or_default().to_owned()
}

/// Whether a version such as `1.96.0+dfsg1-1` is one the guests accept.
fn new_enough(version: &str) -> bool {
    numbers(version) >= numbers(env!("CARGO_PKG_RUST_VERSION"))
}

fn numbers(version: &str) -> (u32, u32) {
    let mut parts = version.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

fn one_line(error: &anyhow::Error) -> String {
    format!("{error:#}").lines().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_versions_compare_by_number() {
        assert!(new_enough("1.96.0+dfsg1-1~deb12u2"));
        assert!(new_enough("1.100.0"));
        assert!(!new_enough("1.85.0+dfsg3-1~deb12u3"));
        assert!(!new_enough("(none)"));
    }

    #[test]
    fn a_directory_without_its_mark_is_not_taken_for_whole() -> Result<()> {
        let dir = std::env::temp_dir().join(format!("lockstep-xtask-{}", std::process::id()));
        clear(&dir)?;
        let lib = dir.join("sysroot/lib/rustlib").join(TARGET).join("lib");
        fs::create_dir_all(&lib)?;
        fs::write(lib.join("libcore-0.rlib"), "")?;
        fs::write(dir.join("rustc"), "")?;
        assert!(!is_complete(&dir));
        fs::write(dir.join(COMPLETE), "rustc 1.96.0\nrelease: 1.96.0\n")?;
        assert!(is_complete(&dir));
        fs::write(dir.join(COMPLETE), "rustc 1.60.0\nrelease: 1.60.0\n")?;
        assert!(!is_complete(&dir), "older than the guests accept");
        fs::remove_dir_all(&dir)?;
        Ok(())
    }
}
