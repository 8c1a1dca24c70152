//! `cargo xtask schemathesis`: a real server with something on its board, and schemathesis, which reads the server's OpenAPI
//! document and asks for everything in it, with what it allows and with what it does not. Whatever differs is a finding.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::demo::{Server, cargo_target, wait_until};
use crate::examples::{Found, Missing, venv};
use crate::guests;
use crate::workspace::{cargo, output, root, run};

/// The newest version that was tried.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";
/// The server answers within a second; a machine under load may take longer.
const SERVER_START_MAX: Duration = Duration::from_secs(60);
/// Bodies that schemathesis cannot make by itself.
const HOOKS: &str = include_str!("schemathesis/hooks.py");

const PIPELINE: &str = r#"name = "change"
[checks.test]
command = ["true"]
[jobs.coder]
command = ["sh", "-c", "echo work > work.txt"]
[[steps]]
name = "code"
kind = "agent"
role = "coder"
[[steps]]
name = "ci"
kind = "ci-gate"
"#;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Requests made up for each operation, beside those for each rule of the document
    #[arg(long, default_value_t = 25)]
    max_examples: u32,
    /// Makes up the same requests as a run that printed this number
    #[arg(long)]
    seed: Option<String>,
}

pub(crate) fn run_all(args: &Args) -> Result<()> {
    let root = root();
    let tools = match venv(&root.join("target/tools"), SCHEMATHESIS)? {
        Found::There(tools) => tools,
        Found::Missing(Missing(why)) => anyhow::bail!("schemathesis cannot be had: {why}"),
    };
    if !root.join("target/components/agent.wasm").is_file() {
        guests::build()?;
    }
    run(cargo(&root).args(["build", "--locked", "--package", "lockstep"]))?;
    let place = Place::prepare(&root)?;
    let server = place.serve()?;
    let url = place.url()?;
    place.furnish()?;
    place.configure()?;
    let mut schemathesis = Command::new(tools.join("bin/st"));
    schemathesis.current_dir(&place.home).env("PYTHONPATH", &place.home);
    schemathesis.args(["--config-file", "schemathesis.toml", "run", "--no-color", "--request-timeout", "60"]);
    schemathesis.args(["--max-examples", &args.max_examples.to_string()]);
    schemathesis.args(args.seed.iter().flat_map(|seed| ["--seed", seed]));
    // It never ends, which is tried by the tests of the server.
    schemathesis.args(["--exclude-path", "/v1/events", &format!("{url}/v1/openapi.json")]);
    run(&mut schemathesis)?;
    place.lockstep(&["store", "verify"])?;
    drop(server);
    Ok(())
}

/// Where it all lies, made anew each time.
struct Place {
    home: PathBuf,
    lockstep: PathBuf,
}

impl Place {
    fn prepare(root: &Path) -> Result<Self> {
        let home = root.join("target/schemathesis");
        if home.exists() {
            fs::remove_dir_all(&home).with_context(|| format!("remove {}", home.display()))?;
        }
        let place = Self { lockstep: cargo_target(root).join("debug/lockstep"), home };
        fs::create_dir_all(place.home.join("repo/.lockstep"))?;
        fs::write(place.home.join("repo/.lockstep/pipeline.toml"), PIPELINE)?;
        fs::write(place.home.join("hooks.py"), HOOKS)?;
        for args in [
            &["init", "--quiet", "--initial-branch=main"][..],
            &["add", "--all"],
            &["commit", "--quiet", "--no-gpg-sign", "--message=first"],
            &["branch", "feature"],
        ] {
            let identity = ["-c", "user.name=A developer", "-c", "user.email=developer@localhost"];
            run(Command::new("git").arg("-C").arg(place.home.join("repo")).args(identity).args(args))?;
        }
        Ok(place)
    }

    fn serve(&self) -> Result<Server> {
        let log = fs::File::create(self.home.join("serve.log"))?;
        let mut serve = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        let child: Child = serve.stdout(Stdio::null()).stderr(log).spawn().context("start the server")?;
        let (server, up) = (Server(child), self.home.join("data/server.json"));
        wait_until(SERVER_START_MAX, "the server did not start", || Ok(up.exists()))?;
        Ok(server)
    }

    fn url(&self) -> Result<String> {
        let announced: Value =
            serde_json::from_str(&fs::read_to_string(self.home.join("data/server.json"))?)?;
        announced["url"].as_str().map(str::to_owned).context("the server told no address")
    }

    fn token(&self) -> Result<String> {
        Ok(fs::read_to_string(self.home.join("data/token"))?.trim().to_owned())
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.lockstep);
        command.current_dir(&self.home).arg("--data").arg(self.home.join("data")).args(args);
        command
    }

    fn lockstep(&self, args: &[&str]) -> Result<String> {
        output(&mut self.command(args))
    }

    /// A run that is done, and items, a pipeline and a schedule.
    fn furnish(&self) -> Result<()> {
        self.lockstep(&[
            "run",
            "--pipeline",
            "repo/.lockstep/pipeline.toml",
            "--repo",
            "repo",
            "--branch",
            "feature",
        ])?;
        self.lockstep(&["items", "add", "Shop", "--level", "service", "--repo", "repo"])?;
        let shop = self.first(&["items", "list"])?;
        for title in ["One", "Another"] {
            self.lockstep(&["items", "add", title, "--in", &shop, "--task-type", "bug"])?;
        }
        self.lockstep(&["pipelines", "add", "repo/.lockstep/pipeline.toml", "--name", "Ours"])?;
        self.lockstep(&[
            "schedules",
            "add",
            "Weekly",
            "--service",
            &shop,
            "--pipeline",
            "Ours",
            "--every",
            "168",
        ])?;
        Ok(())
    }

    /// The id of the first row of a list.
    fn first(&self, list: &[&str]) -> Result<String> {
        self.id(list, 0, "id")
    }

    fn id(&self, list: &[&str], at: usize, field: &str) -> Result<String> {
        let rows: Value = serde_json::from_str(&self.lockstep(&[list, &["--json"]].concat())?)?;
        rows[at][field]
            .as_str()
            .map(str::to_owned)
            .with_context(|| format!("{list:?} has no row {at}: {rows}"))
    }

    /// Tells schemathesis what is there, so that it is not answered 404 all the time.
    fn configure(&self) -> Result<()> {
        let mut config = format!(
            "hooks = \"hooks\"\nheaders = {{ Authorization = {:?} }}\n\n[parameters]\n\"path.workspace\" = \"default\"\n\"path.run\" = {:?}\n\
             \"path.digest\" = {:?}\n\"path.kind\" = \"ci-gate\"\n\"path.step\" = \"code\"\n",
            format!("Bearer {}", self.token()?),
            self.first(&["runs", "list"])?,
            self.id(&["component", "list"], 0, "digest")?,
        );
        // What a document can say of data ends where the rules of the board begin: a name that is taken, a repository that
        // is not there. 503 is what a host says that does as much at once as it may.
        config.push_str(
            "\n[checks]\npositive_data_acceptance.expected-statuses = \
             [\"2xx\", \"304\", \"404\", \"409\", \"412\", \"422\", \"503\"]\n\
             not_a_server_error.expected-statuses = [\"2xx\", \"3xx\", \"4xx\", \"503\"]\n",
        );
        // What is removed would be missing afterwards: `DELETE` makes up its ids.
        for (path, id) in [
            ("items", self.id(&["items", "list"], 1, "id")?),
            ("presets", self.first(&["presets", "list"])?),
            ("pipelines", self.first(&["pipelines", "list"])?),
            ("schedules", self.first(&["schedules", "list"])?),
        ] {
            config.push_str(&format!(
                "\n[[operations]]\ninclude-path-regex = \"/{path}/\\\\{{id\\\\}}\"\n\
                 include-method = [\"GET\", \"PATCH\", \"POST\", \"PUT\"]\nparameters = {{ \"path.id\" = {id:?} }}\n"
            ));
        }
        fs::write(self.home.join("schemathesis.toml"), config)?;
        Ok(())
    }
}
