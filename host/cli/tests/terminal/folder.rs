use crate::{held, lockstep, shown, write};

/// What a command says about the folder, with its name and this process taken out.
fn said(folder: &tempfile::TempDir, line: &str) -> String {
    let text = shown(line, &lockstep(folder.path(), line).output().unwrap());
    let text = text.replace(&*folder.path().to_string_lossy(), "DATA");
    text.replace(&format!("pid {}", std::process::id()), "pid PID")
}

#[test]
fn a_folder_that_a_run_has_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let _lock = held(folder.path(), "run");
    expect_test::expect![[r#"
        $ lockstep runs list
        ! lockstep: the data folder DATA is in use by another lockstep process (pid PID, `run`): wait for it, stop it, or use another --data
        = 5
        $ lockstep serve --listen 127.0.0.1:0
        ! lockstep: the data folder DATA is in use by another lockstep process (pid PID, `run`): wait for it, stop it, or use another --data
        = 5
    "#]]
        .assert_eq(&(said(&folder, "runs list") + &said(&folder, "serve --listen 127.0.0.1:0")));
}

#[test]
fn a_server_file_of_another_process_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "token", "secret");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    write(folder.path(), "server.json", &format!(r#"{{"url":"{url}","pid":1}}"#));
    let _lock = held(folder.path(), "run");
    assert!(said(&folder, "runs list").ends_with("= 5\n"));
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "the token was taken to a stranger");
}

#[test]
fn addresses_beyond_this_machine_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let text = said(&folder, "serve --listen 0.0.0.0:0") + &said(&folder, "serve --listen nowhere");
    expect_test::expect![[r#"
        $ lockstep serve --listen 0.0.0.0:0
        ! lockstep: 0.0.0.0:0 can be reached from other machines: listen on 127.0.0.1, or add --allow-remote if that is meant
        = 5
        $ lockstep serve --listen nowhere
        ! lockstep: "nowhere" is not an address to listen on: write HOST:PORT, for example 127.0.0.1:7420
        = 5
    "#]].assert_eq(&text);
}
