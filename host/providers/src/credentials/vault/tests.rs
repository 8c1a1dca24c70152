use super::{LEASE_MS, Vault};
use expect_test::expect;
use lockstep_ports::{CredentialError, Secret};
use lockstep_types::{RunId, Timestamp};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

const NOW: Timestamp = Timestamp(1_000_000);
const TOKEN: &str = "t0ken-of-ann";

fn vault(dir: &tempfile::TempDir) -> Vault {
    Vault::new(dir.path().to_owned())
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn run(number: u32) -> RunId {
    format!("run-{number}").parse().unwrap()
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn all_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(all_files(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn what_is_kept_is_given_to_runs_that_lease_it_and_lies_nowhere_in_the_clear() {
    let dir = tempfile::tempdir().unwrap();
    let vault = vault(&dir);
    vault.set("ann", "github-token", &secret(TOKEN), None).unwrap();
    vault.set("ann", "npm", &secret("another"), None).unwrap();
    vault.set("bob", "github-token", &secret("t0ken-of-bob"), None).unwrap();
    assert_eq!(vault.names("ann").unwrap(), ["github-token", "npm"]);
    vault.lease(&run(1), "ann", &names(&["github-token"]), None, NOW).unwrap();
    assert_eq!(vault.give(&run(1), "github-token", NOW).unwrap().expose(), TOKEN);
    for path in all_files(dir.path()) {
        let bytes = std::fs::read(&path).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("t0ken"), "{}", path.display());
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o077, 0, "{}", path.display());
    }
    // What is removed is leased no more; what was leased stays so.
    assert!(vault.remove("ann", "github-token").unwrap() && !vault.remove("ann", "github-token").unwrap());
    assert_eq!(vault.give(&run(1), "github-token", NOW).unwrap().expose(), TOKEN);
    vault.end(&run(1)).unwrap();
    vault.end(&run(1)).unwrap();
    assert!(matches!(vault.give(&run(1), "github-token", NOW), Err(CredentialError::NotLeased { .. })));
}

#[test]
fn a_lease_is_over_with_its_time_unless_a_person_comes_by_late() {
    let dir = tempfile::tempdir().unwrap();
    let vault = vault(&dir);
    vault.set("ann", "npm", &secret(TOKEN), None).unwrap();
    for number in 1..=3 {
        vault.lease(&run(number), "ann", &names(&["npm"]), None, NOW).unwrap();
    }
    // Too early to make a difference; then half is left.
    vault.extend(&run(2), NOW.plus_ms(LEASE_MS / 2 - 1)).unwrap();
    vault.extend(&run(3), NOW.plus_ms(LEASE_MS / 2)).unwrap();
    let just_before = NOW.plus_ms(LEASE_MS - 1);
    assert!((1..=3).all(|number| vault.give(&run(number), "npm", just_before).is_ok()));
    let end = NOW.plus_ms(LEASE_MS);
    vault.extend(&run(1), end).unwrap();
    let live: Vec<u32> = (1..=3).filter(|number| vault.give(&run(*number), "npm", end).is_ok()).collect();
    assert_eq!(live, [3]);
    std::fs::write(dir.path().join("leases/run-9.json"), "{").unwrap();
    vault.sweep(end).unwrap();
    assert_eq!(all_files(&dir.path().join("leases")), [dir.path().join("leases/run-3.json")]);
    // No names: nothing is leased any more.
    vault.lease(&run(3), "ann", &[], None, end).unwrap();
    assert!(vault.give(&run(3), "npm", end).is_err());
}

#[test]
fn what_is_wrong_is_one_line_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let vault = vault(&dir);
    let lease = |wanted: &[&str]| vault.lease(&run(1), "ann", &names(wanted), None, NOW).unwrap_err();
    vault.set("ann", "npm", &secret(TOKEN), None).unwrap();
    vault.lease(&run(1), "ann", &names(&["npm"]), None, NOW).unwrap();
    let mut errors = vec![
        lease(&["npm", "github-token"]),
        lease(&["../key"]),
        vault.set("ann", "a b\n", &secret(TOKEN), None).unwrap_err(),
        vault.set("ann", "npm", &secret("abc"), None).unwrap_err(),
        vault.set("ann", "npm", &secret(&"x".repeat(20_000)), None).unwrap_err(),
        vault.set("ann", "npm", &secret(TOKEN), Some(&secret("short"))).unwrap_err(),
        vault.give(&run(1), "github-token", NOW).unwrap_err(),
        vault.give(&run(2), "npm", NOW).unwrap_err(),
    ];
    // Nothing of that touched what the run has.
    assert_eq!(vault.give(&run(1), "npm", NOW).unwrap().expose(), TOKEN);
    // A record passed off as another's, one that was changed, and a key that is gone.
    let owned = all_files(&dir.path().join("owned"));
    vault.set("bob", "npm", &secret("t0ken-of-bob"), None).unwrap();
    let of_bob = all_files(&dir.path().join("owned")).into_iter().find(|path| !owned.contains(path)).unwrap();
    let text = std::fs::read_to_string(of_bob).unwrap().replace("bob", "ann");
    std::fs::write(&owned[0], text).unwrap();
    errors.push(lease(&["npm"]));
    std::fs::write(&owned[0], "{\"owner\"").unwrap();
    errors.push(lease(&["npm"]));
    std::fs::write(dir.path().join("key"), "short").unwrap();
    errors.push(vault.give(&run(1), "npm", NOW).unwrap_err());
    std::fs::remove_file(dir.path().join("key")).unwrap();
    errors.push(vault.give(&run(1), "npm", NOW).unwrap_err());
    let lines: Vec<String> = errors.iter().map(|error| format!("{error}\n")).collect();
    assert!(lines.iter().all(|line| line.lines().count() == 1 && !line.contains("t0ken")));
    expect![[r#"
        ann has no credential github-token: set it with `lockstep credentials set github-token`
        "../key" is not the name of a credential: use 1 to 64 lower-case letters, digits and -, a letter first
        "a b" is not the name of a credential: use 1 to 64 lower-case letters, digits and -, a letter first
        the value of npm cannot be kept: give 4 to 16384 bytes of text
        the value of npm cannot be kept: give 4 to 16384 bytes of text
        that is not a password: give 8 to 256 printable ASCII characters
        run run-1 has no lease of credential github-token any more: retry the run to lease it again
        run run-2 has no lease of credential npm any more: retry the run to lease it again
        credential npm cannot be decrypted: set it again with `lockstep credentials set npm`
        credential npm cannot be decrypted: set it again with `lockstep credentials set npm`
        credential npm cannot be decrypted: set it again with `lockstep credentials set npm`
        credential npm cannot be decrypted: set it again with `lockstep credentials set npm`
    "#]]
    .assert_eq(&lines.concat());
    assert!(!format!("{errors:?}").contains("t0ken"));
}

#[test]
fn nothing_but_its_password_opens_what_is_kept_under_one() {
    let dir = tempfile::tempdir().unwrap();
    let vault = vault(&dir);
    let (right, wrong) = (secret("correct horse"), secret("battery staple"));
    vault.set("ann", "npm", &secret(TOKEN), Some(&right)).unwrap();
    let lease = |password| vault.lease(&run(1), "ann", &names(&["npm"]), password, NOW);
    assert!(matches!(lease(None), Err(CredentialError::PasswordRequired { .. })));
    assert!(matches!(lease(Some(&wrong)), Err(CredentialError::WrongPassword { .. })));
    lease(Some(&right)).unwrap();
    // From then on the run needs no password.
    assert_eq!(vault.give(&run(1), "npm", NOW).unwrap().expose(), TOKEN);
    // One password opens all of an owner's.
    let other = vault.set("ann", "github-token", &secret(TOKEN), Some(&wrong));
    assert!(matches!(other, Err(CredentialError::WrongPassword { name, .. }) if name == "npm"));
    vault.set("ann", "npm", &secret(TOKEN), Some(&wrong)).unwrap();
    lease(Some(&wrong)).unwrap();
}
