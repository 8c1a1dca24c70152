//! Everything the provider asks of GitHub, against a mock that Prism makes of GitHub's published description: each request
//! has to be valid by it, and each answer be understood. `cargo xtask github-mock` fetches both.
#![allow(clippy::print_stdout, reason = "a test that skips itself says so")]

use super::described::{description, tools};
use super::wire::{Asked, git_answer, reply, serve};
use super::{PACE, World};
use crate::fixture::Fixture;
use expect_test::expect;
use lockstep_ports::{Forge, Secret};
use lockstep_providers::{GitHub, GitHubCredential, GitHubOptions};
use lockstep_types::{Effect, EffectOutcome, MergeMethod, Verdict};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

struct Mock {
    child: Child,
    /// `127.0.0.1:PORT`.
    address: String,
}

impl Mock {
    /// None, with a line that says so, where it was not fetched.
    fn start() -> Option<Self> {
        let Some(tools) = tools() else {
            println!("skipped: no mock of GitHub here; `cargo xtask github-mock` fetches one where npm can");
            return None;
        };
        let port =
            std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
        let mut command = Command::new("node");
        command.arg(tools.join("@stoplight/prism-cli/dist/index.js"));
        command.args(["mock", "--host", "127.0.0.1", "--port", &port]).arg(description(&tools));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        lines.find(|line| line.contains("Prism is listening on")).expect("Prism says where it listens");
        // It would stop at a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { child, address: format!("127.0.0.1:{port}") })
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

/// Passes what is asked on to the mock, and puts the names and commits of a world into what it answers, without which
/// nothing would come next. Git's own transfers it answers itself.
struct Relay {
    mock: Mock,
    hub: PathBuf,
    /// Whether the pull request was opened.
    is_open: AtomicBool,
    wrong: Mutex<Vec<String>>,
    asked: Mutex<BTreeSet<String>>,
}

impl Relay {
    fn answer(&self, asked: &Asked) -> Vec<u8> {
        if let Some(path) = asked.path.strip_prefix("/git/octocat/Hello-World.git") {
            return git_answer(&self.hub, &format!("/acme/shop.git{path}"), asked);
        }
        let (status, head, mut told) = self.passed_on(asked);
        let line = asked.line().replace("/repos/octocat/Hello-World", "");
        if is_wrong(status, &head) {
            self.wrong.lock().unwrap().push(format!("{} {}: {status} {head}", asked.method, asked.target));
        }
        self.asked.lock().unwrap().insert(line.clone());
        match line.as_str() {
            "GET /git/ref/heads/feature" if self.tip("feature").is_empty() => return reply(404, &[], b"{}"),
            "GET /pulls" => {
                let wanted = asked.query.get("state").map(String::as_str);
                if wanted == Some("open") && self.is_open.load(Ordering::SeqCst) {
                    told.as_array_mut().unwrap().iter_mut().for_each(|pull| self.put_in(pull));
                } else {
                    told = json!([]);
                }
            }
            "POST /pulls" => {
                self.is_open.store(true, Ordering::SeqCst);
                self.put_in(&mut told);
            }
            "GET /pulls/1347" => self.put_in(&mut told),
            "GET /git/ref/heads/feature" => told["object"]["sha"] = self.tip("feature").into(),
            "GET /git/ref/heads/main" => told["object"]["sha"] = self.tip("main").into(),
            _ => {}
        }
        reply(status, &[("content-type", "application/json")], told.to_string().as_bytes())
    }

    /// What the mock answers: status, head and body.
    fn passed_on(&self, asked: &Asked) -> (u16, String, Value) {
        let mut stream = TcpStream::connect(&self.mock.address).unwrap();
        let kept = ["accept", "authorization", "content-type", "x-github-api-version", "if-none-match"];
        let headers = asked.headers.iter().filter(|(name, _)| kept.contains(&name.as_str()));
        let headers: String = headers.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head =
            format!("{} {} HTTP/1.1\r\nhost: mock\r\nconnection: close\r\n", asked.method, asked.target);
        write!(stream, "{head}{headers}content-length: {}\r\n\r\n", asked.body.len()).unwrap();
        stream.write_all(&asked.body).unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        let (head, body) = said.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_owned(), serde_json::from_str(body).unwrap_or_default())
    }

    fn put_in(&self, pull: &mut Value) {
        for (end, branch) in [("head", "feature"), ("base", "main")] {
            pull[end]["ref"] = branch.into();
            pull[end]["sha"] = self.tip(branch).into();
            pull[end]["repo"]["full_name"] = "octocat/Hello-World".into();
        }
        pull["merged_at"] = Value::Null;
        pull["mergeable_state"] = "blocked".into();
    }

    /// The mock does look at what it is asked.
    fn takes_not_anything(&self) {
        let merge = "/repos/octocat/Hello-World/pulls/1347/merge".to_owned();
        let headers = [("content-type".to_owned(), "application/json".to_owned())].into();
        let body = br#"{"merge_method":"fast-forward"}"#.to_vec();
        let (status, head, _) =
            self.passed_on(&Asked { method: "PUT".into(), target: merge, headers, body, ..Asked::default() });
        assert!(is_wrong(status, &head), "the mock takes anything: {head}");
    }

    fn tip(&self, branch: &str) -> String {
        let mut git = Command::new("git");
        git.arg("-C").arg(self.hub.join("acme/shop.git")).args([
            "rev-parse",
            "--verify",
            "--quiet",
            &format!("refs/heads/{branch}"),
        ]);
        String::from_utf8(git.output().unwrap().stdout).unwrap().trim().to_owned()
    }
}

/// Whether the mock answered to what is not as described: it says so in a header, or knows no such path.
fn is_wrong(status: u16, head: &str) -> bool {
    head.contains("\"location\":[\"request\"") || (status >= 400 && head.contains("problem+json"))
}

#[tokio::test]
async fn every_request_is_as_github_describes_it_and_every_answer_understood() {
    let Some(mock) = Mock::start() else { return };
    let relay =
        |hub| Relay { mock, hub, is_open: false.into(), wrong: Mutex::default(), asked: Mutex::default() };
    let mut kept = None;
    let world = World::with(|options| {
        let clone = options.repositories[0].0.clone();
        let relay = Arc::new(relay(clone.parent().unwrap().join("hub")));
        kept = Some(Arc::clone(&relay));
        let address = serve(move |asked| relay.answer(asked));
        options.api = format!("http://{address}");
        options.git = format!("http://{address}/git");
        options.repositories = vec![(clone, "octocat/Hello-World".into())];
    });
    let relay = kept.unwrap();
    let repository = world.fixture.repo().to_str().unwrap().to_owned();
    let report = world.checks().await.unwrap();
    assert_eq!(report.pull_request.unwrap().number, Some(1347));
    assert!(
        report.checks.iter().any(|check| check.conclusion.as_deref() == Some("neutral")),
        "{:?}",
        report.checks
    );
    let report = world.merges().await.unwrap();
    assert_eq!((report.verdict, report.reasons.len()), (Verdict::Mergeable, 1));
    let pull = world.github.pull_request(&repository, 1347).await.unwrap().unwrap();
    assert_eq!((pull.number, pull.head_branch.as_deref()), (1347, Some("feature")));
    assert_eq!(world.github.open_pull_requests(&repository).await.unwrap().len(), 1);
    assert_eq!(world.github.reviews(&repository, 1347).await.unwrap().len(), 1);
    world.github.comment(&repository, 1347, "key", "CI is red").await.unwrap();
    let (add, remove) = (["ready/now".to_owned()], ["bug".to_owned()]);
    world.github.label(&repository, 1347, &add, &remove).await.unwrap();
    for method in [MergeMethod::Merge, MergeMethod::Squash, MergeMethod::Rebase, MergeMethod::FastForward] {
        let merged = world.merge(method).await;
        assert!(matches!(merged, EffectOutcome::Done(_)), "{merged:?}");
    }
    super::asked::commit_there(&world, "main", "m.txt");
    let updated = world.perform(&world.order(Effect::UpdateBranch)).await;
    assert!(matches!(&updated, EffectOutcome::Failed(why) if why.contains("took it")), "{updated:?}");
    relay.takes_not_anything();
    let wrong = relay.wrong.lock().unwrap().clone();
    assert!(wrong.is_empty(), "not as GitHub is described: {wrong:#?}");
    let asked: Vec<String> = relay.asked.lock().unwrap().iter().cloned().collect();
    let head = world.fixture.tip("feature");
    expect![[r#"
        DELETE /issues/1347/labels/bug
        GET /branches/main
        GET /commits/HEAD/check-runs
        GET /commits/HEAD/status
        GET /git/ref/heads/feature
        GET /git/ref/heads/main
        GET /issues/1347/comments
        GET /issues/1347/labels
        GET /pulls
        GET /pulls/1347
        GET /pulls/1347/reviews
        GET /rules/branches/main
        PATCH /git/refs/heads/main
        POST /issues/1347/comments
        POST /issues/1347/labels
        POST /pulls
        PUT /pulls/1347/merge
        PUT /pulls/1347/update-branch
    "#]]
    .assert_eq(&(asked.join("\n").replace(&head, "HEAD") + "\n"));
}

#[tokio::test]
async fn an_app_gets_its_token_as_github_describes_it() {
    let Some(mock) = Mock::start() else { return };
    if Command::new("openssl").arg("version").output().is_err() {
        println!("skipped: no openssl here to make a key");
        return;
    }
    let fixture = Fixture::new();
    let key = Secret::new(super::port::key(&fixture, "-traditional").0);
    let credential = GitHubCredential::App { id: "1".into(), installation: 2, key };
    let mut options = GitHubOptions::new(credential, vec![(fixture.repo(), "octocat/Hello-World".into())]);
    options.api = format!("http://{}", mock.address);
    options.pace = PACE;
    let github = GitHub::new(fixture.git.clone(), options).unwrap();
    let repository = fixture.repo().to_str().unwrap().to_owned();
    assert_eq!(github.pull_request(&repository, 1347).await.unwrap().unwrap().number, 1347);
}
