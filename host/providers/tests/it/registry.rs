//! A real registry on loopback, and a relay before it that misbehaves on request.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
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
            eprintln!("skipped: no docker-registry here; `cargo xtask test` unpacks one where apt can");
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

/// Asks a registry for what no client of ours would, and gives the status.
pub(crate) fn put_manifest(host: &str, name: &str, text: &str) -> String {
    let mut stream = TcpStream::connect(host).unwrap();
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let head =
        format!("PUT /v2/{name} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: {kind}");
    write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{text}", text.len()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().to_owned()
}

/// Passes connections on to `host`, but no more than so many bytes each way. Gives its own address.
pub(crate) fn relay(host: &str, to: u64, from: u64) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (own, host) = (listener.local_addr().unwrap().to_string(), host.to_owned());
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(&host).unwrap());
            for (source, sink, limit) in [(&client, &server, to), (&server, &client, from)] {
                let (source, mut sink) = (source.try_clone().unwrap(), sink.try_clone().unwrap());
                std::thread::spawn(move || {
                    // Whoever left early is no fault of the relay.
                    std::io::copy(&mut source.take(limit), &mut sink).map(drop).unwrap_or_default();
                    sink.shutdown(Shutdown::Both).unwrap_or_default();
                });
            }
        }
    });
    own
}

/// A server that answers each request as `answer` says to its head. Gives its address, and what it was asked.
pub(crate) fn scripted(
    answer: impl Fn(&str) -> String + Send + 'static,
) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap().to_string();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let lines = BufReader::new(client.try_clone().unwrap()).lines().map_while(Result::ok);
            let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
            let head = head.join("\n");
            let text = answer(&head);
            seen.lock().unwrap().push(head);
            let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
            let head = head.replace('\n', "\r\n");
            let length = body.len();
            write!(client, "HTTP/1.1 {head}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}")
                .unwrap();
        }
    });
    (own, asked)
}
