//! A job that a model answers, paid for out of the budget, with a key that is shown nowhere.

use crate::host::root;
use crate::shop::Shop;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const KEY: &str = "sk-e2e-0123456789abcdef";

struct Endpoint(Child);

impl Drop for Endpoint {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Files below a folder that hold the key, other than its own.
fn holding(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            holding(&path, found);
        } else if std::fs::read(&path)
            .is_ok_and(|bytes| bytes.windows(KEY.len()).any(|part| part == KEY.as_bytes()))
        {
            found.push(path.display().to_string());
        }
    }
}

#[test]
fn a_model_grades_and_its_work_is_paid_for() {
    let shop = Shop::new();
    let data = &shop.host.data;
    let beside = |name: &str| data.with_file_name(name);
    // The second answer is the repair; each costs 100 tokens in and 20 out.
    let script = format!(
        r#"[{{"say": "Looks fine to me, {KEY}"}}, {{"say": "{{\"verdict\": \"good\", \"summary\": \"Sound.\"}}"}}]"#
    );
    let mut server = Command::new("python3");
    server
        .arg("-B")
        .arg(root().join("host/providers/tests/it/model_server.py"))
        .arg(script)
        .arg(beside("seen.jsonl"));
    let Ok(mut server) = server.stdout(Stdio::piped()).spawn() else {
        writeln!(std::io::stderr().lock(), "skipped: an endpoint for models: there is no python3").unwrap();
        return;
    };
    let mut port = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let _endpoint = Endpoint(server);
    std::fs::create_dir_all(data).unwrap();
    std::fs::write(beside("key"), format!("{KEY}\n")).unwrap();
    let config = format!(
        "[models.small]\nurl = \"http://127.0.0.1:{}/v1\"\nmodel = \"scripted\"\nkey = {{ file = \"{}\" }}\n",
        port.trim(),
        beside("key").display()
    );
    std::fs::write(data.join("config.toml"), config).unwrap();
    let commands = "[jobs.reviewer]\nmodel = \"small\"\ndiff = true\ninstructions = \"Judge the change.\"\n\
         schema = { type = \"object\", required = [\"verdict\"], properties = { verdict = { enum = [\"good\", \"bad\"] } } }\n";
    std::fs::create_dir_all(shop.repo().join(".lockstep")).unwrap();
    std::fs::write(shop.repo().join(".lockstep/commands.toml"), commands).unwrap();
    shop.commit("who reviews");
    let pipeline = shop.write_pipeline(
        "name = \"Judged\"\n[[steps]]\nname = \"review\"\nkind = \"agent\"\nrole = \"reviewer\"\n",
    );
    let repo = shop.repo();
    let run = |args: &[&str]| {
        let ran = shop.host.run(args);
        assert_eq!(ran.status, Some(0), "{args:?}: {ran:?}");
        ran.out
    };
    run(&["settings", "set", "--price", "small=1000/2000"]);
    run(&["items", "add", "Shop", "--level", "service", "--repo", repo.to_str().unwrap()]);
    run(&["items", "add", "Discount", "--in", "14"]);
    run(&["pipelines", "add", pipeline.to_str().unwrap(), "--name", "Judged"]);
    run(&["items", "start", "15", "--pipeline", "Judged"]);
    run(&["runs", "watch", "latest"]);
    let shown = run(&["step", "show", "latest", "review"]);
    assert!(shown.contains("Sound.") && shown.contains("***"), "{shown}");
    let spend = shop.host.json(&["spend"]);
    assert_eq!(spend["cost"], 0.28, "200 tokens at 1000 and 40 at 2000 a million: {spend}");
    let mut found = Vec::new();
    holding(data, &mut found);
    assert_eq!(found, Vec::<String>::new(), "nothing that is kept holds the key");
    let seen = std::fs::read_to_string(beside("seen.jsonl")).unwrap();
    assert_eq!(seen.lines().filter(|line| line.contains(&format!("Bearer {KEY}"))).count(), 2);
}
