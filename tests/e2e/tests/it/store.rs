//! What is stored, as an operator looks after it.

use crate::host::Host;
use crate::server::Server;
use crate::shop::Shop;
use serde_json::json;
use std::fs;
use std::path::Path;

fn flip_in_log(data: &Path, text: &str) {
    let segment = data.join("journal/log/0000000001.log");
    let mut bytes = fs::read(&segment).unwrap();
    let at = bytes.windows(text.len()).position(|window| window == text.as_bytes());
    bytes[at.expect("it is stored in the log")] ^= 1;
    fs::write(segment, bytes).unwrap();
}

#[test]
fn what_is_stored_is_backed_up_damaged_found_repaired_and_restored() {
    let shop = Shop::new();
    let (pipeline, repo) = (shop.pipeline(), shop.repo());
    let args = shop.run_args(pipeline.to_str().unwrap(), repo.to_str().unwrap(), "discount");
    assert_eq!(shop.host.run(&args).status, Some(0));
    let id = shop.host.json(&["runs", "list"])[0]["id"].as_str().unwrap().to_owned();
    let other = tempfile::tempdir().unwrap();
    let copy = other.path().join("copy");
    let exported = other.path().join("all.jsonl");

    let server = Server::start(&shop.host);
    let ran = shop.host.run(&["store", "backup", copy.to_str().unwrap()]);
    assert!(ran.status == Some(0) && ran.out.starts_with("backed up 1 runs, "), "{ran:?}");
    let ran = shop.host.run(&["store", "verify"]);
    assert!(ran.out.ends_with("everything can be read, and is what was written\n"), "{ran:?}");
    let ran = shop.host.run(&["store", "compact"]);
    assert!(ran.status == Some(5) && ran.err.contains("is in use by another lockstep process"), "{ran:?}");
    let ran = shop.host.run(&["store", "export", exported.to_str().unwrap()]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    drop(server);

    flip_in_log(&shop.host.data, r#""seq":1,"previous""#);
    let ran = shop.host.run(&["store", "verify"]);
    assert!(ran.status == Some(3) && ran.out.contains(&format!("run {id}: record 1")), "{ran:?}");
    assert!(ran.out.contains("restore a backup, or save the rest with `lockstep --data"), "{ran:?}");
    let ran = shop.host.run(&["store", "repair"]);
    assert!(ran.status == Some(0) && ran.out.contains(&format!("took out run {id}")), "{ran:?}");
    assert_eq!(shop.host.json(&["runs", "list"]), json!([]));
    assert_eq!(shop.host.json(&["store", "verify"])["runs"], 0);

    let restored = Host { data: other.path().join("restored") };
    let ran = restored.run(&["store", "restore", copy.to_str().unwrap()]);
    assert!(ran.status == Some(0) && ran.out.starts_with("restored 1 runs, "), "{ran:?}");
    assert_eq!(restored.run(&["verify", &id]).status, Some(0));

    let imported = Host { data: other.path().join("imported") };
    assert_eq!(imported.run(&["store", "import", exported.to_str().unwrap()]).status, Some(0));
    assert_eq!(imported.run(&["verify", &id]).status, Some(0));
    let ran = imported.run(&["store", "import", exported.to_str().unwrap()]);
    assert!(ran.status == Some(5) && ran.err.contains("is there already"), "{ran:?}");
}

#[test]
fn tools_of_the_store_say_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host { data: folder.path().join("data") };
    for command in ["verify", "repair", "compact"] {
        let ran = host.run(&["store", command]);
        assert!(ran.status == Some(5) && ran.err.contains("there is no store in "), "{ran:?}");
        assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
        assert!(!host.data.exists());
    }
}
