//! Directories that components may read.

use crate::host::World;
use expect_test::expect;
use lockstep_ports::{ComponentService, GrantRequest};
use lockstep_types::{Digest, DirGrant, DirSnapshot, Grant};

#[test]
fn a_granted_directory_is_one_that_is_kept() {
    let world = World::new();
    let host = world.open();
    let grant = |dirs: &[DirGrant], revoke: bool| {
        let grant = Grant { dirs: dirs.to_vec(), ..Grant::default() };
        let request = GrantRequest { grant, revoke, ..GrantRequest::default() };
        host.run(host.runtime.grant("writer", request)).map(|view| view.grant.dirs)
    };
    let dir = |path: &str, digest| DirGrant { path: path.to_owned(), digest };
    let refused = |dirs: &[DirGrant]| grant(dirs, false).unwrap_err().to_string();
    expect!["the directory 000000000000 is not kept here: use `lockstep component grant writer --dir /data=FOLDER`"]
        .assert_eq(&refused(&[dir("/data", Digest::zero())]));
    let keep = |content: &str| {
        let mut snapshot = DirSnapshot::default();
        snapshot.add("a.txt", content.as_bytes().to_vec()).unwrap();
        host.run(host.runtime.keep_dir(snapshot.encode())).unwrap()
    };
    let (first, second) = (keep("1"), keep("2"));
    expect![[r#""data" is not a path a component could use, such as `/data`"#]]
        .assert_eq(&refused(&[dir("data", first)]));
    assert_eq!(grant(&[dir("/data", first)], false).unwrap(), [dir("/data", first)]);
    assert_eq!(grant(&[dir("/data", second)], false).unwrap(), [dir("/data", second)]);
    assert_eq!(grant(&[dir("/data", second)], true).unwrap(), []);
    let torn = host.run(host.runtime.keep_dir(b"nonsense".to_vec())).unwrap_err();
    expect!["these are not the bytes of a snapshot of a directory"].assert_eq(&torn.to_string());
}
