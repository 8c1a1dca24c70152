//! Jobs carried out by the worker of `examples/worker`, against a server that is killed too.

use crate::host::root;
use crate::shop::Shop;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Whether there is a Python for the worker; if not, that is said.
fn has_python() -> bool {
    let there = Command::new("python3").arg("--version").stdout(Stdio::null()).status();
    let there = there.is_ok_and(|status| status.success());
    if !there {
        writeln!(std::io::stderr().lock(), "skipped: the worker of examples/worker: there is no python3")
            .unwrap();
    }
    there
}

/// A process that ends with its test.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A shop with a server whose workers are given up after two seconds.
struct Field {
    shop: Shop,
    server: Option<Ends>,
    address: String,
}

impl Field {
    fn new() -> Self {
        let shop = Shop::new();
        std::fs::create_dir_all(&shop.host.data).unwrap();
        std::fs::write(shop.host.data.join("config.toml"), "[workers]\nlease_s = 2\n").unwrap();
        let mut field = Self { shop, server: None, address: "127.0.0.1:0".to_owned() };
        field.serve();
        field
    }

    /// Starts a server where the last one was.
    fn serve(&mut self) {
        let mut serve = self.shop.host.command(&["serve", "--listen", &self.address]);
        let log = File::options().append(true).create(true).open(self.shop.host.data.with_extension("log"));
        let mut child = serve.stdout(Stdio::piped()).stderr(log.unwrap()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let ready = out.lines().map_while(Result::ok).find(|line| line.contains("http://"));
        self.server = Some(Ends(child));
        let line = ready.expect("the server comes up");
        let address = line.split("http://").nth(1).unwrap().split('/').next().unwrap();
        address.clone_into(&mut self.address);
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let token = std::fs::read_to_string(self.shop.host.data.join("token")).unwrap();
        let body = body.to_string();
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.address,
            token.trim(),
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or_default())
    }

    fn start(&self, branch: &str) -> String {
        let pipeline = "name = \"p\"\n[jobs.coder]\nworker = \"builders\"\nlabels = [\"sh\"]\n\
             [[steps]]\nname = \"code\"\nkind = \"agent\"\nrole = \"coder\"\n";
        let body = json!({ "pipeline": pipeline, "repository": self.shop.repo(), "branch": branch });
        let (status, run) = self.ask("POST", "/v1/runs", &body);
        assert!(status < 300, "{status}: {run}");
        run["id"].as_str().unwrap().to_owned()
    }

    /// A worker that carries out one job with a script.
    fn worker(&self, name: &str, deliver: &str, script: &str) -> Ends {
        let url = format!("http://{}", self.address);
        let mut worker = Command::new("python3");
        worker.arg("-B").arg(root().join("examples/worker/worker.py"));
        worker.args(["--url", &url, "--pool", "builders", "--pool", "others", "--label", "sh"]);
        worker.args(["--name", name, "--deliver", deliver, "--jobs", "1", "--wait", "5"]);
        worker.arg("--token-file").arg(self.shop.host.data.join("token"));
        worker.arg("--folder").arg(self.shop.host.data.with_file_name(name));
        let log = File::options().append(true).create(true).open(self.shop.host.data.with_extension(name));
        worker.args(["--", "sh", "-c", script]).stderr(log.unwrap());
        Ends(worker.spawn().unwrap())
    }

    /// Waits until a run has ended, through the feed.
    fn ended(&self, run: &str) -> Value {
        let mut after = 0;
        loop {
            let (_, view) = self.ask("GET", &format!("/v1/runs/{run}"), &Value::Null);
            if view["status"] == "done" || view["status"] == "failed" {
                return view;
            }
            let (status, page) = self.ask("GET", &format!("/v1/feed?after={after}&wait=true"), &Value::Null);
            assert_eq!(status, 200, "{page}");
            after = page["end"].as_u64().unwrap_or(after);
        }
    }

    fn pipe(&self, name: &str) -> PathBuf {
        let path = self.shop.host.data.with_file_name(name);
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    }

    fn lease(&self, run: &str, number: u32) -> String {
        let path = self.shop.host.data.join(format!("jobs/{run}/code.{number}/lease.json"));
        let lease: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        lease["lease"].as_str().unwrap().to_owned()
    }
}

/// Waits until a script has written to a pipe.
fn heard(pipe: &Path) -> String {
    std::fs::read_to_string(pipe).unwrap()
}

#[test]
fn a_worker_does_a_job_and_brings_its_commit() {
    if !has_python() {
        return;
    }
    let field = Field::new();
    for (branch, deliver) in [("discount", "bundle"), ("receipt", "push")] {
        let run = field.start(branch);
        let _worker = field.worker(
            deliver,
            deliver,
            "echo working; cat $LOCKSTEP_CONTEXT | grep -q title && echo new > made.txt; \
             echo '{\"output\":\"made it\",\"model\":\"m\",\"usage\":{\"input_tokens\":5,\"output_tokens\":7}}' > $LOCKSTEP_RESULT",
        );
        let view = field.ended(&run);
        assert_eq!(
            (view["status"].as_str(), view["steps"][0]["output"].as_str()),
            (Some("done"), Some("made it")),
            "{view}"
        );
        assert_eq!(view["steps"][0]["usage"], json!({ "input_tokens": 5, "output_tokens": 7 }));
        assert_eq!(field.shop.git(&["show", &format!("{branch}:made.txt")]).trim(), "new");
        let log = field.shop.host.run(&["step", "show", &run, "code"]);
        assert!(log.out.contains("working"), "{log:?}");
        assert_eq!(field.shop.git(&["branch", "--list", "lockstep-work/*"]), "");
    }
}

#[test]
fn a_lost_worker_is_replaced_and_comes_too_late() {
    if !has_python() {
        return;
    }
    let field = Field::new();
    let run = field.start("discount");
    let (begun, never) = (field.pipe("begun"), field.pipe("never"));
    let script = format!("echo x > {}; cat {}", begun.display(), never.display());
    let mut first = field.worker("first", "bundle", &script);
    heard(&begun);
    first.0.kill().unwrap();
    let before = field.shop.git(&["rev-parse", "discount"]);
    let _second = field.worker("second", "bundle", "echo second > made.txt");
    let view = field.ended(&run);
    assert_eq!(view["status"], "done", "{view}");
    let late = json!({ "lease": field.lease(&run, 1), "result": { "output": "late" }, "commit": before });
    let (status, problem) = field.ask("POST", "/v1/workers/complete", &late);
    assert_eq!((status, problem["code"].as_str()), (409, Some("lease-lost")), "{problem}");
    assert_eq!(field.shop.git(&["show", "discount:made.txt"]).trim(), "second");
    let again = json!({ "lease": field.lease(&run, 2), "result": {} });
    assert_eq!(field.ask("POST", "/v1/workers/complete", &again).0, 200, "what was answered is told again");
    // Its command waits for good.
    std::fs::write(&never, "").unwrap_or_default();
}

#[test]
fn a_worker_goes_on_while_the_host_is_killed() {
    if !has_python() {
        return;
    }
    let mut field = Field::new();
    let run = field.start("discount");
    let (begun, go_on) = (field.pipe("begun"), field.pipe("go-on"));
    let script = format!("echo x > {}; cat {} > made.txt; echo over", begun.display(), go_on.display());
    let _worker = field.worker("steady", "bundle", &script);
    heard(&begun);
    drop(field.server.take());
    field.serve();
    std::fs::write(&go_on, "steady\n").unwrap();
    let view = field.ended(&run);
    assert_eq!(
        (view["status"].as_str(), view["steps"][0]["output"].as_str()),
        (Some("done"), Some("over")),
        "{view}"
    );
    assert_eq!(field.shop.git(&["show", "discount:made.txt"]).trim(), "steady");
    let leased = field.lease(&run, 1);
    assert!(leased.contains("/code/1/"), "nobody else was asked: {leased}");
}

#[test]
fn a_worker_that_is_shut_down_gives_its_job_back() {
    if !has_python() {
        return;
    }
    let field = Field::new();
    let run = field.start("discount");
    let (begun, never) = (field.pipe("begun"), field.pipe("never"));
    let first =
        field.worker("first", "bundle", &format!("echo x > {}; cat {}", begun.display(), never.display()));
    heard(&begun);
    assert!(Command::new("kill").arg(first.0.id().to_string()).status().unwrap().success());
    let _second = field.worker("second", "bundle", "echo second > made.txt; echo fine");
    let view = field.ended(&run);
    assert_eq!(
        (view["status"].as_str(), view["steps"][0]["output"].as_str()),
        (Some("done"), Some("fine")),
        "{view}"
    );
}
