//! `kill -9` of a server with hundreds of runs in flight, over and over. What came of it is read from outside: from what
//! the jobs and effects said while they ran, from git, and from what the server had acknowledged.

use crate::host::Host;
use crate::server::Server;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use tempfile::TempDir;

/// Runs in flight at every kill, at least.
const IN_FLIGHT: usize = 200;
/// Runs begun and answers given between two kills.
const BETWEEN: usize = 2;
/// Longest wait for a job to say something before the server is killed all the same.
const QUIET: Duration = Duration::from_secs(1);
/// Looks at the runs within which all must have ended, after the last kill.
const LOOKS_MAX: u32 = 2000;

/// The kinds of runs. All but the first, which is stopped, wait for a person: that keeps them in flight.
const SLEEPS: &str = "sleeps";
const LANDS: &str = "lands";
const FILES: &str = "files";
const WAITS: &str = "waits";

/// How often the server is killed: `cargo xtask kill --cycles N` says so.
fn cycles() -> usize {
    std::env::var("LOCKSTEP_KILL_CYCLES").ok().and_then(|text| text.parse().ok()).unwrap_or(20)
}

/// A repository with a branch for each run, and a pipe that jobs and effects tell of themselves through.
struct Field {
    folder: TempDir,
    host: Host,
    said: Receiver<String>,
}

impl Field {
    fn new(branches: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let pipe = folder.path().join("said");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        // Opened both ways it never ends, and nobody who writes has to wait for a reader.
        let lines = BufReader::new(OpenOptions::new().read(true).write(true).open(&pipe).unwrap()).lines();
        let (say, said) = channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| say.send(line)));
        let host = Host { data: folder.path().join("data") };
        let field = Self { folder, host, said };
        field.make_repository(branches);
        field
    }

    fn repo(&self) -> PathBuf {
        self.folder.path().join("repo.git")
    }

    fn git(&self) -> Command {
        let mut git = Command::new("git");
        git.arg("-C").arg(self.repo());
        git
    }

    fn make_repository(&self, branches: usize) {
        let repo = self.repo();
        let mut init = Command::new("git");
        init.args(["init", "--quiet", "--bare", "--initial-branch=main"]).arg(&repo);
        assert!(init.status().unwrap().success());
        let commit = |branch: &str, from: &str, file: &str| {
            format!(
                "commit refs/heads/{branch}\ncommitter t <t@localhost> 1767603600 +0000\ndata 1\nx\n{from}\
                 M 100644 inline {file}\ndata 1\nx\n\n"
            )
        };
        let mut stream = commit("main", "", "README");
        for at in 0..branches {
            stream += &commit(&format!("b{at}"), "from refs/heads/main\n", &format!("b{at}"));
        }
        let mut import = self.git().args(["fast-import", "--quiet"]).stdin(Stdio::piped()).spawn().unwrap();
        import.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
        assert!(import.wait().unwrap().success());
    }

    fn pipeline(&self, kind: &str) -> String {
        let pipe = self.folder.path().join("said");
        let pipe = pipe.display();
        let job = |name: &str, work: &str| {
            let script =
                format!("echo begin $LOCKSTEP_KEY > {pipe}; {work}; echo end $LOCKSTEP_KEY > {pipe}");
            format!("[jobs.{name}]\ncommand = [\"sh\", \"-c\", {script:?}]\n")
        };
        let step = |name: &str, kind: &str, rest: &str| {
            format!("[[steps]]\nname = \"{name}\"\nkind = \"{kind}\"\n{rest}\n")
        };
        // The last step of a pipeline waits for nobody.
        let after = step("after", "conflicts-gate", "");
        let reading = "role = \"reader\"\nconfig = { access = \"read-only\" }";
        let parts = match kind {
            SLEEPS => [job("reader", "sleep 3600"), step("look", "agent", reading)].concat(),
            LANDS => {
                let report = r#"{"report":{"complexity":0.1,"risk":0.1,"impact":0.1,"rationale":"small"}}"#;
                [
                    job("coder", "echo $LOCKSTEP_KEY >> note-$LOCKSTEP_RUN"),
                    job("merger", &format!("echo '{report}' > $LOCKSTEP_RESULT")),
                    step("code", "agent", "role = \"coder\""),
                    step("merge", "merge-resolver", "role = \"merger\"\napproval = true"),
                    after,
                ]
                .concat()
            }
            FILES => {
                let script =
                    format!("echo ticket $LOCKSTEP_EFFECT_KEY > {pipe}; echo '{{\"externalId\":\"T\"}}'");
                let ticket = format!("[effects.open-ticket]\ncommand = [\"sh\", \"-c\", {script:?}]\n");
                [
                    job("reader", "echo looked"),
                    ticket,
                    step("look", "agent", reading),
                    step("ticket", "tracker", "approval = true"),
                    after,
                ]
                .concat()
            }
            _ => [step("clean", "conflicts-gate", "approval = true"), after].concat(),
        };
        format!("name = \"{kind}\"\n{parts}")
    }

    /// Processes that anything of this host leads to.
    fn processes(&self) -> Vec<String> {
        let data = self.host.data.to_str().unwrap();
        let of_host = |entry: &std::fs::DirEntry| {
            let read = |file: &str| std::fs::read(entry.path().join(file)).unwrap_or_default();
            let texts =
                ["environ", "cmdline"].map(|file| String::from_utf8_lossy(&read(file)).replace('\0', " "));
            texts.iter().any(|text| text.contains(data)).then(|| texts[1].clone())
        };
        std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| of_host(&entry)).collect()
    }
}

/// What somebody asked for, under a token, so that it can be asked for again.
#[derive(Clone)]
struct Asked {
    request: String,
    what: What,
}

#[derive(Clone)]
enum What {
    /// A run of this kind.
    Start(&'static str),
    Answer(String),
    Stop(String),
}

struct Fire {
    field: Field,
    asked: usize,
    branches: usize,
    /// Asked for, and the server did not live to say yes.
    unsaid: Vec<Asked>,
    /// What it said yes to: kinds of runs, answered and stopped ones.
    started: BTreeMap<String, &'static str>,
    answered: BTreeSet<String>,
    stopped: BTreeSet<String>,
    said: Vec<String>,
}

impl Fire {
    fn start(&mut self, kind: &'static str) -> Asked {
        let branch = format!("b{}", self.branches);
        self.branches += 1;
        let repository = self.field.repo().to_string_lossy().into_owned();
        let pipeline = self.field.pipeline(kind);
        let body = json!({ "pipeline": pipeline, "repository": repository, "branch": branch });
        self.asking("/v1/runs", body, What::Start(kind))
    }

    fn approve(&mut self, run: &str) -> Asked {
        let (path, run) = (format!("/v1/runs/{run}/answers"), run.to_owned());
        self.asking(&path, json!({ "answer": "approve" }), What::Answer(run))
    }

    fn asking(&mut self, path: &str, mut body: Value, what: What) -> Asked {
        self.asked += 1;
        if !matches!(what, What::Stop(_)) {
            body["token"] = format!("token-{}", self.asked).into();
        }
        Asked { request: format!("POST {path}\n{body}"), what }
    }

    /// Asks and takes the answer, which must be yes.
    fn ask(&mut self, server: &Server, asked: &Asked) {
        let (head, body) = split(&server.http(&asked.request, &server.token));
        assert!(head.starts_with("HTTP/1.1 2"), "{}: {head}: {body}", asked.request);
        match &asked.what {
            What::Start(kind) => {
                self.started.insert(body["id"].as_str().unwrap().to_owned(), kind);
            }
            What::Answer(run) => drop(self.answered.insert(run.clone())),
            What::Stop(run) => drop(self.stopped.insert(run.clone())),
        }
    }

    /// What the last server did not live to answer is asked for again, under the same token.
    fn ask_again(&mut self, server: &Server) {
        for asked in std::mem::take(&mut self.unsaid) {
            self.ask(server, &asked);
        }
    }

    /// Takes what jobs have said by now, after waiting for `more` of it.
    fn listen(&mut self, more: usize) {
        for _ in 0..more {
            match self.field.said.recv_timeout(QUIET) {
                Ok(line) => self.said.push(line),
                Err(_) => break,
            }
        }
        self.said.extend(self.field.said.try_iter());
    }

    /// One life of the server under load, from its start to the kill.
    fn cycle(&mut self, number: usize) {
        let server = Server::start(&self.field.host);
        self.ask_again(&server);
        let blocked = ids(&server, "blocked");
        let in_flight = blocked.len() + ids(&server, "running").len();
        assert!(in_flight >= IN_FLIGHT, "kill {number} found only {in_flight} runs in flight");
        let sleeper =
            self.started.iter().find(|(run, kind)| **kind == SLEEPS && !self.stopped.contains(*run));
        let sleeper = sleeper.map(|(run, _)| run.clone());
        let mut asked = Vec::new();
        match sleeper {
            Some(run) if number % 3 == 2 => {
                asked.push(self.asking(&format!("/v1/runs/{run}/stop"), json!({}), What::Stop(run)));
            }
            None if number.is_multiple_of(3) => asked.push(self.start(SLEEPS)),
            _ => {}
        }
        for at in 0..BETWEEN {
            if let Some(run) = blocked.get((number * 7 + at * 31) % blocked.len().max(1)).cloned()
                && !self.answered.contains(&run)
            {
                asked.push(self.approve(&run));
            }
            asked.push(self.start([LANDS, FILES, WAITS][(number + at) % 3]));
        }
        // Now and then the last is not answered any more, or nobody waits for the jobs.
        let last = if number % 2 == 1 { asked.pop() } else { None };
        for asked in &asked {
            self.ask(&server, asked);
        }
        self.listen(number * 5 % 7);
        let unheard = last.as_ref().map(|asked| server.send(&asked.request, &server.token));
        self.unsaid.extend(last);
        drop(server);
        drop(unheard);
    }

    /// Lets all runs end, and gives how each did.
    fn end_all(&mut self) -> BTreeMap<String, Value> {
        let server = Server::start(&self.field.host);
        self.ask_again(&server);
        let sleepers = self.started.iter().filter(|(_, kind)| **kind == SLEEPS);
        for run in sleepers.map(|(run, _)| run.clone()).collect::<Vec<_>>() {
            let stop = self.asking(&format!("/v1/runs/{run}/stop"), json!({}), What::Stop(run));
            self.ask(&server, &stop);
        }
        for _ in 0..LOOKS_MAX {
            let blocked = ids(&server, "blocked");
            for run in &blocked {
                assert!(!self.answered.contains(run), "the answer to {run} was lost");
                let approval = self.approve(run);
                self.ask(&server, &approval);
            }
            if blocked.is_empty() && ids(&server, "running").is_empty() {
                break;
            }
            self.listen(1);
        }
        let mut ends = BTreeMap::new();
        for run in self.started.keys() {
            let (_, view) = split(&server.http(&format!("GET /v1/runs/{run}"), &server.token));
            let (_, verified) = split(&server.http(&format!("POST /v1/runs/{run}/verify"), &server.token));
            let empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
            assert!(empty(&verified["problems"]), "{run} does not verify: {verified}");
            assert!(empty(&verified["replay"]["differences"]), "{run} replays differently: {verified}");
            ends.insert(run.clone(), view);
        }
        let all = ids(&server, "done").len() + ids(&server, "failed").len();
        assert_eq!(all, self.started.len(), "there are runs that nobody was told of");
        server.interrupt();
        self.listen(0);
        ends
    }
}

/// All runs in a state.
fn ids(server: &Server, status: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    loop {
        let mut path = format!("GET /v1/runs?limit=500&status={status}");
        if let Some(last) = all.last() {
            write!(path, "&before={last}").unwrap();
        }
        let (head, page) = split(&server.http(&path, &server.token));
        assert!(head.starts_with("HTTP/1.1 200"), "{head}: {page}");
        let runs = page["runs"].as_array().unwrap();
        all.extend(runs.iter().map(|run| run["id"].as_str().unwrap().to_owned()));
        if page["next"].is_null() {
            return all;
        }
    }
}

fn split(answer: &str) -> (String, Value) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    (head.to_owned(), serde_json::from_str(body).unwrap_or_else(|_| Value::from(body)))
}

#[test]
fn kills_under_load_lose_nothing_and_repeat_nothing() {
    let cycles = cycles();
    let field = Field::new(IN_FLIGHT + 10 + 4 * cycles);
    let mut fire = Fire {
        field,
        asked: 0,
        branches: 0,
        unsaid: Vec::new(),
        started: BTreeMap::new(),
        answered: BTreeSet::new(),
        stopped: BTreeSet::new(),
        said: Vec::new(),
    };
    let server = Server::start(&fire.field.host);
    for at in 0..IN_FLIGHT + BETWEEN {
        let asked = fire.start([LANDS, FILES, WAITS, WAITS][at % 4]);
        fire.ask(&server, &asked);
    }
    drop(server);
    for number in 0..cycles {
        fire.cycle(number);
    }
    let ends = fire.end_all();
    assert_eq!(fire.field.processes(), Vec::<String>::new(), "processes are left behind");
    check_runs(&fire, &ends);
    check_records(&fire, &ends);
    check_git(&fire.field.repo(), &fire);
}

/// Everything acknowledged is there, and every run ended as it should.
fn check_runs(fire: &Fire, ends: &BTreeMap<String, Value>) {
    for (run, kind) in &fire.started {
        let expected = if *kind == SLEEPS { "failed" } else { "done" };
        assert_eq!(ends[run]["status"], expected, "{run} ({kind}): {}", ends[run]);
    }
}

/// Each job and each effect was carried out once, as it said itself.
fn check_records(fire: &Fire, ends: &BTreeMap<String, Value>) {
    let mut times: BTreeMap<&str, u32> = BTreeMap::new();
    for line in &fire.said {
        *times.entry(line).or_default() += 1;
    }
    for (line, times) in &times {
        assert_eq!(*times, 1, "{line}");
    }
    let count = |word: &str| times.keys().filter(|line| line.starts_with(word)).count();
    let of_kind = |kind: &str| fire.started.values().filter(|known| **known == kind).count();
    assert_eq!(count("ticket "), of_kind(FILES));
    assert_eq!(count("end "), 2 * of_kind(LANDS) + of_kind(FILES));
    assert!(count("begin ") <= count("end ") + of_kind(SLEEPS), "a job began and did not end");
    assert_eq!(ends.len(), fire.started.len());
}

/// Each merge was made once, with each job's work in it once.
fn check_git(repo: &Path, fire: &Fire) {
    let log = Command::new("git").arg("-C").arg(repo).args(["log", "--format=%B", "main"]).output().unwrap();
    let log = String::from_utf8(log.stdout).unwrap();
    for trailer in ["Lockstep-Effect:", "Lockstep-Job:"] {
        let made: Vec<&str> = log.lines().filter(|line| line.starts_with(trailer)).collect();
        let distinct: BTreeSet<&&str> = made.iter().collect();
        let expected = fire.started.values().filter(|kind| **kind == LANDS).count();
        assert_eq!((made.len(), distinct.len()), (expected, expected), "{trailer} {made:?}");
    }
    for run in fire.started.iter().filter(|(_, kind)| **kind == LANDS).map(|(run, _)| run) {
        let show = ["show", &format!("main:note-{run}")];
        let note = Command::new("git").arg("-C").arg(repo).args(show).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&note.stdout).lines().count(), 1, "the job of {run}");
    }
}
