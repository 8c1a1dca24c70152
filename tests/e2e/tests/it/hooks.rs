//! Webhooks at the real binary: signed deliveries over HTTP, a killed server, and the commands that show what became of them.

use crate::host::Host;
use crate::server::Server;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const SECRET: &str = "a secret between the forge and this host";
/// Pull requests delivered before the server is killed: the last of them are acknowledged and not taken up yet.
const BRANCHES: usize = 12;
/// How long deliveries may take to be taken up on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A repository with branches, whose pipeline needs nobody, and a data folder that says it is `acme/shop`.
struct Place {
    folder: TempDir,
    host: Host,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = Self { host: Host { data: folder.path().join("data") }, folder };
        std::fs::create_dir_all(place.repo()).unwrap();
        std::fs::create_dir_all(&place.host.data).unwrap();
        place.git(&["init", "--quiet", "--initial-branch=main"]);
        place.git(&["commit", "--quiet", "--no-gpg-sign", "--allow-empty", "--message", "empty"]);
        for number in 1..=BRANCHES {
            place.git(&["branch", &branch(number)]);
        }
        let secret = place.folder.path().join("secret");
        std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
        let config = format!(
            "[github]\nwebhook_secret = {{ file = {secret:?} }}\npipeline = \"Gate\"\n\n\
             [[repository]]\npath = {:?}\ngithub = \"acme/shop\"\n",
            place.repo()
        );
        std::fs::write(place.host.data.join("config.toml"), config).unwrap();
        let pipeline = place.folder.path().join("gate.toml");
        std::fs::write(&pipeline, "name = \"gate\"\n[[steps]]\nname = \"ci\"\nkind = \"ci-gate\"\n").unwrap();
        place.host.json(&["pipelines", "add", pipeline.to_str().unwrap(), "--name", "Gate"]);
        place
    }

    fn repo(&self) -> PathBuf {
        self.folder.path().join("shop")
    }

    fn add_service(&self) {
        let repo = self.repo();
        self.host.json(&["items", "add", "Shop", "--level", "service", "--repo", repo.to_str().unwrap()]);
    }

    fn git(&self, args: &[&str]) {
        let mut git = Command::new("git");
        git.arg("-C").arg(self.repo()).args(["-c", "user.name=t", "-c", "user.email=t@localhost"]);
        assert!(git.args(args).status().unwrap().success(), "git {args:?}");
    }

    /// The runs of this host, when nothing waits to be taken up any more.
    fn settled(&self) -> Vec<Value> {
        let begun = Instant::now();
        loop {
            let deliveries = self.host.json(&["deliveries", "list", "--limit", "200"]);
            let waits = |delivery: &Value| delivery["state"] == "waiting";
            if !deliveries.as_array().unwrap().iter().any(waits) {
                return self.host.json(&["runs", "list"]).as_array().unwrap().clone();
            }
            assert!(begun.elapsed() < PATIENCE, "{deliveries:#}");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

fn branch(number: usize) -> String {
    format!("change-{number}")
}

/// A pull request that got the label.
fn labelled(number: usize) -> String {
    let end = |name: &str| json!({"ref": name, "sha": "1".repeat(40), "repo": {"full_name": "acme/shop"}});
    json!({
        "action": "labeled",
        "label": {"name": "lockstep"},
        "pull_request": {
            "number": number, "html_url": format!("https://github.com/acme/shop/pull/{number}"),
            "title": format!("Change {number}"), "body": null, "state": "open",
            "head": end(&branch(number)), "base": end("main"),
        },
        "repository": {"full_name": "acme/shop"},
        "sender": {"login": "ann"},
    })
    .to_string()
}

/// Delivers as GitHub does; the status of the answer.
fn deliver(server: &Server, id: &str, body: &str, secret: &str) -> u16 {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let digits: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let mut stream = TcpStream::connect(&server.address).unwrap();
    write!(
        stream,
        "POST /hooks/github HTTP/1.1\r\nHost: hooks.example.org\r\nContent-Type: application/json\r\n\
         X-GitHub-Event: pull_request\r\nX-GitHub-Delivery: {id}\r\nX-Hub-Signature-256: sha256={digits}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.unwrap_or_else(|| panic!("{answer}"))
}

#[test]
fn a_signed_delivery_starts_a_run_once_and_a_forged_one_nothing() {
    let place = Place::new();
    place.add_service();
    let server = Server::start(&place.host);
    assert_eq!(deliver(&server, "forged", &labelled(1), "another secret"), 401);
    assert_eq!(deliver(&server, "one", &labelled(1), SECRET), 202);
    assert_eq!(deliver(&server, "one", &labelled(2), SECRET), 200, "an id counts once");
    let runs = place.settled();
    assert_eq!(runs.len(), 1, "{runs:#?}");
    assert_eq!(runs[0]["change"]["head_branch"], branch(1));
    let view = place.host.json(&["runs", "show", "latest"]);
    assert_eq!((&view["initiator"], &view["pipeline"]), (&json!("github:ann"), &json!("Gate")));
    let shown = place.host.run(&["deliveries", "list"]);
    assert!(shown.out.contains("runs as run-") && !shown.out.contains("forged"), "{shown:?}");
    let kept = std::fs::read(place.host.data.join("config.toml")).unwrap();
    assert!(!String::from_utf8_lossy(&kept).contains(SECRET));
    assert!(!server.http("GET /v1/deliveries/one", &server.token).contains(SECRET));
}

#[test]
fn what_was_acknowledged_before_a_kill_is_taken_up_after_it_and_nothing_twice() {
    let place = Place::new();
    place.add_service();
    let server = Server::start(&place.host);
    for number in 1..=BRANCHES {
        assert_eq!(deliver(&server, &format!("d{number}"), &labelled(number), SECRET), 202);
    }
    // The server is killed as it is dropped.
    drop(server);
    let server = Server::start(&place.host);
    for number in 1..=BRANCHES {
        assert_eq!(deliver(&server, &format!("d{number}"), &labelled(number), SECRET), 200);
    }
    let runs = place.settled();
    let branches: BTreeSet<&str> =
        runs.iter().map(|run| run["change"]["head_branch"].as_str().unwrap()).collect();
    assert_eq!((runs.len(), branches.len()), (BRANCHES, BRANCHES), "{runs:#?}");
    let items = place.host.json(&["items", "list"]);
    let is_task = |item: &&Value| item["level"] == "task";
    assert_eq!(items.as_array().unwrap().iter().filter(is_task).count(), BRANCHES, "{items:#}");
}

#[test]
fn a_delivery_that_failed_is_replayed_when_its_cause_is_gone() {
    let place = Place::new();
    let server = Server::start(&place.host);
    assert_eq!(deliver(&server, "early", &labelled(1), SECRET), 202);
    assert_eq!(place.settled().len(), 0);
    let shown = place.host.json(&["deliveries", "show", "early"]);
    assert_eq!(shown["state"], "failed", "{shown:#}");
    assert!(shown["outcome"].as_str().unwrap().contains("lockstep items add"), "{shown:#}");
    assert_eq!(shown["payload"]["pull_request"]["number"], 1);
    place.add_service();
    let replayed = place.host.run(&["deliveries", "replay", "early"]);
    assert_eq!(replayed.status, Some(0), "{replayed:?}");
    assert_eq!(place.settled().len(), 1);
    let unknown = place.host.run(&["deliveries", "replay", "never"]);
    assert_eq!(unknown.status, Some(5), "{unknown:?}");
}
