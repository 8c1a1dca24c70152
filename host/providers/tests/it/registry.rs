//! A real registry on loopback; the end-to-end tests have this file, too.
#![allow(clippy::print_stdout, reason = "a test that skips itself says so")]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// Debian's `docker-registry`, where `cargo xtask test` unpacked it or the machine has it.
fn program() -> Option<PathBuf> {
    let unpacked = "../../target/tools/docker-registry/usr/bin/docker-registry";
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join(unpacked);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = std::env::split_paths(&path).map(|dir| dir.join("docker-registry"));
    std::iter::once(unpacked).chain(installed).find(|file| file.is_file())
}

pub(crate) struct RegistryProcess {
    pub(crate) dir: TempDir,
    child: Child,
    /// `127.0.0.1:PORT`.
    pub(crate) host: String,
}

impl RegistryProcess {
    /// None, with a line that says so, where there is no registry to start.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with(|_| String::new())
    }

    /// The same with more lines of configuration, first of `http`, then of all; they may name files of its folder.
    pub(crate) fn start_with(more: impl FnOnce(&Path) -> String) -> Option<Self> {
        let Some(program) = program() else {
            println!("skipped: no docker-registry here; `cargo xtask test` unpacks one where apt can");
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("config.yml");
        let data = dir.path().join("data");
        let more = more(dir.path());
        let text = format!(
            "version: 0.1\nlog: {{level: info, accesslog: {{disabled: true}}}}\nstorage: {{filesystem: \
             {{rootdirectory: {}}}}}\nhttp:\n  addr: \"127.0.0.1:0\"\n{more}",
            data.display()
        );
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new(program);
        command.arg("serve").arg(&config).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let host = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let (_, rest) = line.split_once("listening on ")?;
            Some(rest.split(['"', ',']).next()?.to_owned())
        });
        // It would stop at a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { dir, child, host: host.expect("the registry says where it listens") })
    }

    pub(crate) fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The file a blob is stored in.
    pub(crate) fn blob(&self, digest: &str) -> PathBuf {
        let blobs = self.dir.path().join("data/docker/registry/v2/blobs/sha256");
        blobs.join(&digest[..2]).join(digest).join("data")
    }
}

impl Drop for RegistryProcess {
    fn drop(&mut self) {
        // It may have been stopped already.
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}
