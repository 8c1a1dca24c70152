//! Components between hosts: through a folder both see, and through a registry.

use crate::host::{Host, Ran, root};
use crate::registry::RegistryProcess;
use std::path::Path;
use std::process::Command;

const REFUSED: Option<i32> = Some(5);

fn component(kind: &str) -> String {
    root().join(format!("target/components/{kind}.wasm")).to_string_lossy().into_owned()
}

fn host(dir: &Path, name: &str) -> Host {
    Host { data: dir.join(name) }
}

/// Refused with one line that says so.
fn refused(ran: &Ran, says: &str) {
    assert_eq!(ran.status, REFUSED, "{ran:?}");
    assert!(ran.err.lines().count() == 1 && ran.err.contains(says), "{says:?} is not in: {}", ran.err);
}

/// The life of a component at `place`, from one host to another.
fn ships(dir: &Path, place: &str, mark: char) {
    let (ours, theirs) = (host(dir, "ours"), host(dir, "theirs"));
    let file = dir.join("gate.wasm");
    std::fs::copy(component("ci-gate"), &file).unwrap();
    let key = dir.join("ann");
    let private = ours.json(&["component", "keygen", key.to_str().unwrap()])["private"].clone();
    ours.json(&["component", "sign", file.to_str().unwrap(), "--key", private.as_str().unwrap()]);
    let signature = std::fs::read(dir.join("gate.wasm.sig")).unwrap();
    let (file, tagged) = (file.to_str().unwrap(), format!("{place}{mark}1.0"));
    let pushed = ours.json(&["component", "push", file, &tagged]);
    assert_eq!(
        (&pushed["kind"], &pushed["signed"], &pushed["was_there"]),
        (&"ci-gate".into(), &true.into(), &false.into())
    );
    let pinned = pushed["reference"].as_str().unwrap();
    let digest = pushed["component"].as_str().unwrap();

    // A tag alone is looked at, but not kept; the refusal names what to pull.
    let got = dir.join("got.wasm");
    let output = ["-o", got.to_str().unwrap()];
    assert_eq!(theirs.json(&["component", "pull", &tagged])["reference"], pinned);
    refused(
        &theirs.run(&["component", "pull", &tagged, output[0], output[1]]),
        &format!("name {pinned} for what it means now"),
    );
    assert!(!got.exists());
    let other = theirs.run(&["component", "pull", &tagged, "--digest", &"0".repeat(64), "--add"]);
    refused(&other, &format!("holds component sha256:{digest}, not"));
    refused(&theirs.run(&["component", "add", &tagged]), &format!("name {pinned} for what it means now"));
    assert_eq!(theirs.json(&["component", "add", pinned])["added"]["digest"], digest);
    let pulled = theirs.json(&["component", "pull", pinned, output[0], output[1], "--add"]);
    assert_eq!(pulled["added"]["digest"], digest);
    let known = theirs.json(&["component", "show", digest]);
    assert!(known["signatures"].as_array().is_some_and(|all| all.len() == 1), "it came along: {known}");
    assert_eq!(std::fs::read(&got).unwrap(), std::fs::read(file).unwrap());
    assert_eq!(std::fs::read(dir.join("got.wasm.sig")).unwrap(), signature);

    // What is in a host goes out under its digest; the tag is moved only if that is asked for.
    let components = ours.json(&["component", "list"]);
    let agent =
        components.as_array().unwrap().iter().find(|one| one["descriptor"]["kind"] == "agent").unwrap();
    let agent = agent["digest"].as_str().unwrap();
    refused(&ours.run(&["component", "push", &agent[..12], &tagged]), "--move-tag");
    let moved = ours.json(&["component", "push", &agent[..12], &tagged, "--move-tag"]);
    assert_eq!(moved["component"], agent);
    let was = theirs.run(&["component", "pull", &tagged, "--digest", digest, "--add"]);
    refused(&was, "its tag was moved");
    let stale = theirs.run(&["component", "pull", &tagged, "--allow-tag", output[0], output[1]]);
    refused(&stale, "signs something else");
    assert_eq!(theirs.json(&["component", "pull", pinned])["component"], digest, "a pin stays");
    assert_eq!(
        theirs.json(&["component", "pull", &tagged, "--digest", agent, "--add"])["added"]["digest"],
        agent
    );
}

#[test]
fn a_folder_takes_components_from_host_to_host() {
    let dir = tempfile::tempdir().unwrap();
    let place = format!("dir:{}", dir.path().join("shared").display());
    ships(dir.path(), &place, '#');
    let ours = host(dir.path(), "ours");
    let none = ours.run(&["component", "push", &component("nothing"), &place]);
    refused(&none, "cannot be read");
    let manifest = root().join("Cargo.toml");
    refused(
        &ours.run(&["component", "push", manifest.to_str().unwrap(), &place]),
        "not a WebAssembly component",
    );
    refused(&ours.run(&["component", "pull", &format!("{place}#none")]), "there is nothing at");
    assert_eq!(ours.run(&["component", "pull", "nowhere"]).status, Some(2));
}

#[test]
fn a_registry_takes_components_from_host_to_host() {
    let Some(mut registry) = RegistryProcess::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let place = format!("oci://{}/team/ci-gate", registry.host);
    ships(dir.path(), &place, ':');
    let ours = host(dir.path(), "ours");
    let pulled = ours.json(&["component", "pull", &format!("{place}:1.0")]);
    let blob = registry.blob(pulled["component"].as_str().unwrap());
    let mut bytes = std::fs::read(&blob).unwrap();
    bytes[1000] ^= 1;
    std::fs::write(&blob, bytes).unwrap();
    let pinned = pulled["reference"].as_str().unwrap();
    refused(&ours.run(&["component", "pull", pinned, "--add"]), "damaged or was changed");
    registry.stop();
    let gone = ours.run(&["component", "pull", pinned]);
    assert_eq!(gone.status, Some(1), "{gone:?}");
    assert!(gone.err.contains("cannot be reached"), "{}", gone.err);
}

#[test]
fn a_password_comes_from_the_environment_and_never_shows() {
    let with_password = |dir: &Path| {
        let file = dir.join("htpasswd");
        std::fs::write(&file, "ann:$2y$05$abcdefghijklmnopqrstuuLK7U1u6pVRmL7L1BBM2aS35PSZnDXlK\n").unwrap();
        format!("auth:\n  htpasswd: {{realm: lockstep, path: {}}}\n", file.display())
    };
    let Some(registry) = RegistryProcess::start_with(with_password) else { return };
    let dir = tempfile::tempdir().unwrap();
    let (ours, file) = (host(dir.path(), "ours"), component("ci-gate"));
    let place = format!("oci://{}/gate:1", registry.host);
    let push = |password: &str| -> Ran {
        let mut command: Command = ours.command(&["component", "push", &file, &place]);
        command.env("DOCKER_CONFIG", dir.path()).env("LOCKSTEP_LOG", "trace");
        if !password.is_empty() {
            command.env("LOCKSTEP_OCI_USER", "ann").env("LOCKSTEP_OCI_PASSWORD", password);
        }
        command.output().unwrap().into()
    };
    let (nobody, wrong, right) = (push(""), push("guessed"), push("s3cret"));
    assert!(nobody.status == REFUSED && nobody.err.contains("LOCKSTEP_OCI_PASSWORD"), "{nobody:?}");
    assert!(wrong.status == REFUSED && wrong.err.contains("does not accept"), "{wrong:?}");
    assert_eq!(right.status, Some(0), "{right:?}");
    // As it is written, and as it is sent.
    for secret in ["guessed", "s3cret", "YW5uOnMzY3JldA", "YW5uOmd1ZXNzZWQ"] {
        for ran in [&nobody, &wrong, &right] {
            assert!(!format!("{}{}", ran.out, ran.err).contains(secret), "{secret}");
        }
    }
}
