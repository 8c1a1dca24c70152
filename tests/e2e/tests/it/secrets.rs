//! A credential whose command does all it can to have it kept, and an environment that is out to run something.

use crate::shop::Shop;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Stdio};

/// What is looked for: a credential that is leased to the run, and a variable whose name says what it is.
const LEASED: &str = "lsk-s3cr3t.0f.the.lease-77";
const PASSED: &str = "pas-s3cr3t.0f.the.shell-88";

/// What a command may do with a secret. Not covered, and not tried: other transformations of it than base64 and that of
/// URLs, and what it commits to its branch, sends away or writes to files of its own choice.
const MISDEEDS: [(&str, &str); 11] = [
    ("prints", "echo $GITHUB_TOKEN; echo $OTHER_TOKEN >&2; exit 1"),
    (
        "splits",
        "printf %s \"${GITHUB_TOKEN%????????}\"; printf '%s\\n' \"${GITHUB_TOKEN#\"${GITHUB_TOKEN%????????}\"}\"; exit 1",
    ),
    ("one by one", "echo $OTHER_TOKEN | fold -w 1 | tr -d '\\n'; exit 1"),
    (
        "encodes",
        "printf %s \"ann:$GITHUB_TOKEN\" | base64 -w 0; echo; printf %s \"$OTHER_TOKEN\" | base64; exit 1",
    ),
    (
        "answers",
        "printf '{\"output\":\"%s\",\"report\":{\"%s\":\"%s\"}}' $GITHUB_TOKEN $OTHER_TOKEN $GITHUB_TOKEN > $LOCKSTEP_RESULT",
    ),
    (
        "asks",
        "printf '{\"question\":{\"prompt\":\"%s\",\"options\":[\"%s\"]}}' $GITHUB_TOKEN $OTHER_TOKEN > $LOCKSTEP_RESULT",
    ),
    ("answers nonsense", "echo \"$GITHUB_TOKEN\" > $LOCKSTEP_RESULT"),
    (
        "answers other fields",
        "printf '{\"output\":{\"%s\":1}, \"%s\":2}' $GITHUB_TOKEN $OTHER_TOKEN > $LOCKSTEP_RESULT",
    ),
    (
        "names a file",
        "f=$GITHUB_TOKEN; g='git -c user.name=a -c user.email=a@b'; echo 0 > $f; $g add $f; $g commit -qm 1; \
      b=$(git rev-parse HEAD); echo 1 > $f; $g commit -qam 2; h=$(git rev-parse HEAD); $g checkout -q --detach $b; \
      echo 2 > $f; $g commit -qam 3; $g merge $h > /dev/null; true",
    ),
    ("hangs", "echo $GITHUB_TOKEN; exec tail -f /dev/null"),
    ("dies", "echo $OTHER_TOKEN; kill -15 $$"),
];

/// Files below a folder that hold one of the texts.
fn holding(folder: &Path, texts: &[String], found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            holding(&path, texts, found);
        } else if let Ok(bytes) = std::fs::read(&path)
            && texts.iter().any(|text| bytes.windows(text.len()).any(|part| part == text.as_bytes()))
        {
            found.push(path.display().to_string());
        }
    }
}

/// A server that says all it knows, into a file.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Server {
    fn start(shop: &Shop, log: &Path) -> Self {
        let mut serve = shop.host.command(&["serve", "--listen", "127.0.0.1:0"]);
        serve.env("OTHER_TOKEN", PASSED).env("LOCKSTEP_LOG", "trace").env("RUST_BACKTRACE", "1");
        let mut child = serve.stdout(Stdio::piped()).stderr(File::create(log).unwrap()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        assert!(out.lines().map_while(Result::ok).any(|line| line.contains("http://")), "it is ready");
        Self(child)
    }
}

/// Has a command commit its misdeed, and gives all that is answered about it.
fn misbehave(shop: &Shop, script: &str) -> String {
    let pipeline = shop.write_pipeline(&format!(
        "name = \"p\"\n[jobs.coder]\ncommand = [\"sh\", \"-c\", '''{script}''']\n\
         credentials = [\"github-token\"]\npass_env = [\"OTHER_TOKEN\"]\ntime_limit_s = 2\n\
         [[steps]]\nname = \"code\"\nkind = \"agent\"\nrole = \"coder\"\n"
    ));
    let repo = shop.repo();
    let run = shop.run_args(pipeline.to_str().unwrap(), repo.to_str().unwrap(), "discount");
    let capsules = shop.host.data.join("capsules");
    std::fs::create_dir_all(&capsules).unwrap();
    let looks: [&[&str]; 8] = [
        &run,
        &["runs", "show", "latest"],
        &["step", "show", "latest", "code"],
        &["step", "show", "latest", "code", "--json"],
        &["verify", "latest"],
        // Beside what is stored, and looked through with it.
        &["capsule", "export", "latest", "code", "--out", capsules.to_str().unwrap()],
        &["notices", "--json"],
        &["runs", "stop", "latest"],
    ];
    let shown = looks.map(|look| shop.host.run(look));
    shown.into_iter().map(|shown| shown.out + &shown.err).collect()
}

#[test]
fn no_secret_is_stored_logged_or_answered() {
    let shop = Shop::new();
    let mut set = shop.host.command(&["credentials", "set", "github-token"]);
    let mut set = set.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    set.stdin.take().unwrap().write_all(LEASED.as_bytes()).unwrap();
    assert!(set.wait().unwrap().success());
    let log = shop.host.data.join("server.log");
    let server = Server::start(&shop, &log);
    let (mut told, mut shown_as_stars) = (String::new(), 0);
    for (misdeed, script) in MISDEEDS {
        let of_this = misbehave(&shop, script);
        shown_as_stars += usize::from(of_this.contains("***"));
        told.push_str(&format!("== {misdeed}\n{of_this}"));
    }
    drop(server);
    let texts =
        [LEASED, PASSED, "M2NyM3QuMGYudGhlLmxlYXNl", "XMzY3IzdC4wZi50aGUuc2hlbGwt"].map(str::to_owned);
    for text in &texts {
        let place = told.split("== ").find(|part| part.contains(text.as_str()));
        assert!(place.is_none(), "{text} was answered: {place:?}");
    }
    // They were there to be found: what stands in their place is seen.
    assert!(shown_as_stars >= MISDEEDS.len() - 2, "{shown_as_stars}: {told}");
    let mut found = Vec::new();
    holding(&shop.host.data, &texts, &mut found);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn variables_of_git_do_not_reach_the_git_of_the_host() {
    let shop = Shop::new();
    let marker = shop.host.data.with_extension("marker");
    let evil = format!("touch {}", marker.display());
    let pipeline = "name = \"p\"\n[checks.test]\ncommand = [\"true\"]\n[[steps]]\nkind = \"ci-gate\"\n\
        [[steps]]\nkind = \"conflicts-gate\"\n[[steps]]\nkind = \"merge-resolver\"\nneeds = [\"conflicts-gate\"]\n\
        [jobs.merge-resolver]\ncommand = [\"echo\", '{\"report\":{\"complexity\":0,\"risk\":0,\"impact\":0,\"rationale\":\"\"}}']\n";
    let pipeline = shop.write_pipeline(pipeline);
    let repo = shop.repo().to_str().unwrap().to_owned();
    let mut run = shop.host.command(&shop.run_args(pipeline.to_str().unwrap(), &repo, "discount"));
    for (name, value) in [
        ("GIT_DIR", "/nowhere"),
        ("GIT_WORK_TREE", "/"),
        ("GIT_INDEX_FILE", "/nowhere/index"),
        ("GIT_OBJECT_DIRECTORY", "/nowhere/objects"),
        ("GIT_NAMESPACE", "other"),
        ("GIT_CEILING_DIRECTORIES", "/"),
        ("GIT_EXEC_PATH", "/nowhere"),
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "core.fsmonitor"),
        ("GIT_CONFIG_VALUE_0", &evil),
        ("GIT_CONFIG_PARAMETERS", &format!("'core.fsmonitor={evil}' 'core.hooksPath=/nowhere'")),
        ("GIT_EXTERNAL_DIFF", &evil),
        ("GIT_SSH_COMMAND", &evil),
        ("GIT_PAGER", &evil),
        ("GIT_EDITOR", &evil),
        ("GIT_ASKPASS", &evil),
        ("GIT_TRACE", marker.to_str().unwrap()),
        ("GIT_DEFAULT_HASH", "sha256"),
    ] {
        run.env(name, value);
    }
    let ran = run.output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(said.contains("merge-resolver"), "{said}{}", String::from_utf8_lossy(&ran.stderr));
    assert!(!said.contains("git "), "no call of git failed: {said}");
    assert!(!marker.exists());
}
