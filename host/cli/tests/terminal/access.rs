//! Tokens, the audit and signing in, as they are typed.

use crate::{Served, lockstep, shown};
use std::path::Path;

/// A text with what is another one each time taken out.
fn masked(text: &str) -> String {
    let mut masked = String::new();
    for word in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
        let bare = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let is_hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit());
        let shown = match bare.len() {
            85 if bare.starts_with("lsk_") => "SECRET",
            64 if is_hex(bare) => "CODE",
            16 if is_hex(bare) => "TOKEN-ID",
            _ => bare,
        };
        masked += &(shown.to_owned() + &word[bare.len()..]);
    }
    masked
}

#[test]
fn tokens_are_made_shown_once_and_revoked() {
    let served = Served::new();
    let mut text = String::new();
    for line in [
        "token list",
        "token add ci --role operator --workspace shop",
        "token add ci --role viewer",
        "token add ci --role root",
        "token add x --role viewer --workspace nowhere",
        "token add x --role viewer --expires 0",
        "token revoke ci",
        "token revoke ci",
        "audit",
        "audit --last 0",
        "audit --before nonsense",
    ] {
        text += &masked(&served.transcript(line));
    }
    expect_test::expect![[r#"
        $ lockstep token list
        there are no tokens beside that of the data folder: `lockstep token add` makes one
        = 0
        $ lockstep token add ci --role operator --workspace shop
        ! lockstep: there is no workspace shop: see `lockstep workspaces list`
        = 5
        $ lockstep token add ci --role viewer
        added TOKEN-ID of ci: viewer for all workspaces
        SECRET
        Keep it now: it is shown once.
        = 0
        $ lockstep token add ci --role root
        ! error: invalid value 'root' for '--role <ROLE>': "root" is no role: viewer, operator or admin
        ! 
        ! For more information, try '--help'.
        = 2
        $ lockstep token add x --role viewer --workspace nowhere
        ! lockstep: there is no workspace nowhere: see `lockstep workspaces list`
        = 5
        $ lockstep token add x --role viewer --expires 0
        ! error: invalid value '0' for '--expires <DAYS>': 0 is not in 1..=3650
        ! 
        ! For more information, try '--help'.
        = 2
        $ lockstep token revoke ci
        revoked ci TOKEN-ID: it is accepted no more
        = 0
        $ lockstep token revoke ci
        ! lockstep: there is no token ci: see `lockstep token list`
        = 5
        $ lockstep audit
        nothing was asked yet
        = 0
        $ lockstep audit --last 0
        ! error: invalid value '0' for '--last <COUNT>': write a number from 1 to 1000
        ! 
        ! For more information, try '--help'.
        = 2
        $ lockstep audit --before nonsense
        ! lockstep: `before` is no cursor of the audit: give the `next` of a page
        = 5
    "#]]
    .assert_eq(&text);
    let listed = masked(&served.transcript("open --print"));
    let (before, after) = listed.split_once("127.0.0.1:").expect("an address");
    assert_eq!(before, "$ lockstep open --print\nhttp://");
    assert!(after.ends_with("/login?once=CODE\n= 0\n"), "{after}");
}

/// What a command says to a data folder without a server, without times.
fn said(folder: &Path, line: &str) -> String {
    let text = masked(&shown(line, &lockstep(folder, line).output().unwrap()));
    let is_time =
        |word: &str| word.len() >= 8 && word.bytes().all(|b| b.is_ascii_digit() || b == b'-' || b == b':');
    let words =
        |line: &str| line.split_whitespace().filter(|word| !is_time(word)).collect::<Vec<_>>().join(" ");
    text.lines().map(|line| words(line) + "\n").collect()
}

#[test]
fn commands_without_a_server_are_written_down_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::new();
    for line in [
        "workspaces add team",
        "workspaces add team",
        "token add ci --role viewer --workspace team",
        "token list",
        "audit --last 4",
        "open",
    ] {
        text += &said(folder.path(), line);
    }
    let mut set = lockstep(folder.path(), "credentials set key");
    let mut set =
        set.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::null()).spawn().unwrap();
    std::io::Write::write_all(&mut set.stdin.take().unwrap(), b"hunter2").unwrap();
    assert!(set.wait().unwrap().success());
    text += &said(folder.path(), "credentials rm key");
    text += &said(folder.path(), "audit --last 2");
    assert!(!text.contains("hunter2"));
    expect_test::expect![[r#"
        $ lockstep workspaces add team
        added workspace team: use it with --workspace team
        = 0
        $ lockstep workspaces add team
        ! lockstep: there is a workspace team already: choose another id
        = 5
        $ lockstep token add ci --role viewer --workspace team
        added TOKEN-ID of ci: viewer for team
        SECRET
        Keep it now: it is shown once.
        = 0
        $ lockstep token list
        NAME ID ROLE FOR UNTIL USED MADE BY
        ci TOKEN-ID viewer team - never anna
        = 0
        $ lockstep audit --last 4
        NO WHEN BY WHAT TO WORKSPACE OUTCOME HOW FROM
        4 anna token.add ci TOKEN-ID done viewer of team terminal
        3 anna workspace.create team team refused conflict terminal
        2 anna workspace.create team team done terminal
        1 anna workspace.create default default done terminal
        older: lockstep audit --before 1.-
        = 0
        $ lockstep open
        ! lockstep: no server has the data folder: start one with `lockstep serve`
        = 5
        $ lockstep credentials rm key
        forgot key of anna
        = 0
        $ lockstep audit --last 2
        NO WHEN BY WHAT TO WORKSPACE OUTCOME HOW FROM
        6 anna credential.remove key of anna done terminal
        5 anna credential.set key of anna done terminal
        older: lockstep audit --before 5.-
        = 0
    "#]]
    .assert_eq(&text);
}

#[test]
fn a_wrong_configuration_is_named_with_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::new();
    for config in [
        "[server]\norigin = \"steps\"",
        "[server]\nstreams = 0",
        "[server]\nstreams = 4000",
        "[server]\nport = 1",
    ] {
        crate::write(folder.path(), "config.toml", config);
        text += &said(folder.path(), "serve --listen 127.0.0.1:0")
            .replace(&*folder.path().to_string_lossy(), "DATA");
    }
    crate::write(folder.path(), "config.toml", "");
    text += &said(folder.path(), "serve --listen 127.0.0.1:0 --origin ftp://x");
    expect_test::expect![[r#"
        $ lockstep serve --listen 127.0.0.1:0
        ! lockstep: DATA/config.toml: `origin` of [server]: "steps" is no origin: write https://NAME, with :PORT if it is not 443
        = 5
        $ lockstep serve --listen 127.0.0.1:0
        ! lockstep: DATA/config.toml: `streams` of [server] must be 1 to 200
        = 5
        $ lockstep serve --listen 127.0.0.1:0
        ! lockstep: DATA/config.toml: `streams` of [server] must be 1 to 200
        = 5
        $ lockstep serve --listen 127.0.0.1:0
        ! lockstep: DATA/config.toml:2: unknown field `port`, expected one of `origin`, `metrics`, `requests_per_minute`, `request_burst`, `streams`, `streams_per_token`
        = 5
        $ lockstep serve --listen 127.0.0.1:0 --origin ftp://x
        ! lockstep: "ftp://x" is no origin: write https://NAME, with :PORT if it is not 443
        = 5
    "#]].assert_eq(&text);
}
