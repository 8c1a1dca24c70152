//! `cargo xtask demo`: the main job, shown in a terminal. Everything it makes lies in `target/demo`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::guests;
use crate::workspace::{cargo, output, root, run};

/// The server answers within a second; a machine under load may take longer.
const SERVER_START_MAX: Duration = Duration::from_secs(60);
/// The second run is in flight for some seconds: its tests have to be compiled.
const SECOND_RUN_START_MAX: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Runs the demo.
pub(crate) fn demo() -> Result<()> {
    let root = root();
    title("Setting up: step components, then the host");
    guests::run(&guests::Args::default())?;
    run(cargo(&root).args(["build", "--release", "--locked", "--package", "lockstep"]))?;
    let demo = Demo::prepare(&root)?;
    demo.show_repository()?;

    title("A branch goes through a pipeline of components, and lands");
    demo.run(&["run", "--branch", "discount"])?;
    demo.show_log()?;

    title("The ci-gate is swapped while a second run is in flight");
    let server = demo.serve()?;
    let mut second = demo.command(&["run", "--branch", "receipt"]).spawn().context("start the second run")?;
    demo.wait_for_live_run()?;
    demo.swap_ci_gate(&root)?;
    let status = second.wait().context("wait for the second run")?;
    ensure!(status.success(), "the second run ended with {status}");
    say("It ended on the version it was pinned to when it started; the next run takes the new one.");
    demo.run(&["component", "history", "ci-gate"])?;
    demo.run(&["step", "show", "latest", "ci"])?;

    title("Both runs are replayed from their journals, bit for bit");
    for id in demo.run_ids()?.iter().rev() {
        demo.run(&["verify", id])?;
    }
    drop(server);
    demo.show_log()?;
    demo.how_to_go_on();
    Ok(())
}

struct Demo {
    lockstep: PathBuf,
    data: PathBuf,
    repo: PathBuf,
}

/// A server, ended with this.
pub(crate) struct Server(pub(crate) Child);

impl Drop for Server {
    fn drop(&mut self) {
        let asked = Command::new("kill").arg(self.0.id().to_string()).status();
        if !asked.is_ok_and(|status| status.success()) {
            drop(self.0.kill());
        }
        drop(self.0.wait());
    }
}

impl Demo {
    /// A fresh data folder, and a repository with two branches made from `examples/`.
    fn prepare(root: &Path) -> Result<Self> {
        let home = root.join("target/demo");
        if home.exists() {
            fs::remove_dir_all(&home).with_context(|| format!("remove {}", home.display()))?;
        }
        let repo = home.join("shop");
        copy(&root.join("examples/shop"), &repo)?;
        let target = cargo_target(root);
        let demo = Self { lockstep: target.join("release/lockstep"), data: home.join("data"), repo };
        demo.git(&["init", "--quiet", "--initial-branch=main"])?;
        demo.commit("a small shop")?;
        for (branch, subject) in
            [("discount", "large orders get a discount"), ("receipt", "orders have a receipt")]
        {
            let patch = root.join(format!("examples/branches/{branch}.patch"));
            demo.git(&["switch", "--quiet", "--create", branch, "main"])?;
            demo.git(&["apply", &patch.to_string_lossy()])?;
            demo.commit(subject)?;
        }
        demo.git(&["switch", "--quiet", "main"])?;
        Ok(demo)
    }

    fn git(&self, args: &[&str]) -> Result<()> {
        let identity = ["-c", "user.name=A developer", "-c", "user.email=developer@localhost"];
        run(Command::new("git").arg("-C").arg(&self.repo).args(identity).args(args))
    }

    fn commit(&self, subject: &str) -> Result<()> {
        self.git(&["add", "--all"])?;
        self.git(&["commit", "--quiet", "--no-gpg-sign", "--message", subject])
    }

    fn show_repository(&self) -> Result<()> {
        say(&format!("{}: branch discount has a defect that its own test shows.", self.repo.display()));
        self.git(&["--no-pager", "log", "--oneline", "--graph", "--branches"])
    }

    fn show_log(&self) -> Result<()> {
        say("");
        self.git(&["--no-pager", "log", "--oneline", "--graph", "main"])
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.lockstep);
        command.arg("--data").arg(&self.data).args(args);
        if args.first() == Some(&"run") {
            command.arg("--repo").arg(&self.repo);
            command.arg("--pipeline").arg(self.repo.join(".lockstep/pipeline.toml"));
        }
        command
    }

    /// Shows the command as one would type it, then its output.
    fn run(&self, args: &[&str]) -> Result<()> {
        say(&format!("\n$ lockstep {}", args.join(" ")));
        run(&mut self.command(args))
    }

    fn json(&self, args: &[&str]) -> Result<serde_json::Value> {
        let text = output(self.command(args).arg("--json"))?;
        serde_json::from_str(&text)
            .with_context(|| format!("read what `lockstep {}` printed", args.join(" ")))
    }

    fn serve(&self) -> Result<Server> {
        say("$ lockstep serve");
        let child = self.command(&["serve", "--listen", "127.0.0.1:0"]).stdout(Stdio::null()).spawn();
        let server = Server(child.context("start the server")?);
        let up = self.data.join("server.json");
        wait_until(SERVER_START_MAX, "the server did not start", || Ok(up.exists()))?;
        Ok(server)
    }

    fn wait_for_live_run(&self) -> Result<()> {
        wait_until(SECOND_RUN_START_MAX, "the second run did not start", || {
            let live = self.json(&["runs", "list", "--status", "running"])?;
            Ok(live.as_array().is_some_and(|runs| !runs.is_empty()))
        })
    }

    fn swap_ci_gate(&self, root: &Path) -> Result<()> {
        let file = root.join("target/examples/ci-gate-strict.wasm");
        let added = self.json(&["component", "add", &file.to_string_lossy()])?;
        let Some(digest) = added["digest"].as_str().and_then(|digest| digest.get(..12)) else {
            bail!("`lockstep component add` printed no digest: {added}");
        };
        self.run(&[
            "component",
            "activate",
            "ci-gate",
            digest,
            "--reason",
            "wait for every check before deciding",
        ])
    }

    fn run_ids(&self) -> Result<Vec<String>> {
        let runs = self.json(&["runs", "list"])?;
        let id = |run: &serde_json::Value| run["id"].as_str().map(str::to_owned);
        Ok(runs.as_array().into_iter().flatten().filter_map(id).collect())
    }

    fn how_to_go_on(&self) {
        title("How to go on");
        say(&format!("export LOCKSTEP_DATA={}", self.data.display()));
        say(&format!("alias lockstep={}", self.lockstep.display()));
        say("lockstep runs show latest --timeline    # what happened");
        say("lockstep step show latest ci            # what the gate saw, returned and cost");
        say("lockstep serve                          # the same as a service");
        say("lockstep run --pipeline FILE --repo PATH --branch NAME    # your own repository");
        say(&format!(
            "\nA real coding agent is one line in {}:",
            self.repo.join(".lockstep/pipeline.toml").display()
        ));
        say("[jobs.coder]\ncommand = [\"claude\", \"-p\", \"--permission-mode\", \"acceptEdits\"]");
    }
}

pub(crate) fn wait_until(limit: Duration, otherwise: &str, done: impl Fn() -> Result<bool>) -> Result<()> {
    let begin = Instant::now();
    while !done()? {
        ensure!(begin.elapsed() < limit, "{otherwise} within {} s", limit.as_secs());
        std::thread::sleep(LOOK_AGAIN);
    }
    Ok(())
}

/// Where cargo puts the host's binaries.
pub(crate) fn cargo_target(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |target| root.join(target))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("make {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("read {}", from.display()))? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_name() == "target" {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy(&from, &to)?;
        } else {
            fs::copy(&from, &to).with_context(|| format!("copy {}", from.display()))?;
        }
    }
    Ok(())
}

fn title(text: &str) {
    println!("\n== {text} ==\n");
}

fn say(text: &str) {
    println!("{text}");
}
