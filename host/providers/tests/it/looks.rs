use crate::fixture::{Fixture, NOW, provider, read_fifo, run_id};
use expect_test::expect;
use lockstep_ports::{ObservationOrder, Observations};
use lockstep_types::{Change, EnvironmentStatus, HealthStatus, ObserveFailure, ProviderCommand, RunId};
use std::collections::BTreeMap;

/// Starts of a host within which the supervisor of another is gone.
const LOOKS_MAX: usize = 1_000_000;

struct Asking {
    run: RunId,
    change: Change,
    commands: BTreeMap<String, ProviderCommand>,
}

impl Asking {
    fn new(fixture: &Fixture, name: &str, script: &str) -> Self {
        let commands = [(name.to_owned(), provider(script))].into();
        Self { run: run_id(), change: fixture.change(), commands }
    }

    fn order(&self) -> ObservationOrder<'_> {
        ObservationOrder { run: &self.run, change: &self.change, commands: &self.commands }
    }
}

fn failed<T: std::fmt::Debug>(answer: Result<T, ObserveFailure>) -> String {
    let Err(ObserveFailure::Failed(line)) = answer else { panic!("{answer:?}") };
    assert!(!line.contains('\n'), "{line}");
    line
}

/// Nothing is left of what was looked at.
fn left(fixture: &Fixture) -> usize {
    std::fs::read_dir(fixture.root().join("data/observations")).unwrap().count()
}

#[tokio::test]
async fn commands_tell_of_releases_and_environments() {
    let fixture = Fixture::new();
    let looks = fixture.observations();
    let script = "read request; echo \"$request\" >&2; case \"$request\" in \
                  *1767603600000*) echo '{\"signals\":[{\"name\":\"errors\",\"state\":\"alert\",\"detail\":\"9 %\"}]}';; esac";
    let asking = Asking::new(&fixture, "release-health", script);
    let report = looks.release_health(asking.order(), NOW).await.unwrap();
    assert_eq!((report.status, report.signals[0].name.as_str()), (HealthStatus::Regressed, "errors"));
    let asking = Asking::new(&fixture, "evidence", "pwd >&2; echo '{\"errors\":[\"boom\"]}'");
    assert_eq!(looks.evidence(asking.order(), NOW).await.unwrap().errors, ["boom"]);
    let script =
        "test \"$(cat $LOCKSTEP_REQUEST)\" = '{\"id\":\"e1\"}' && echo '{\"status\":\"ready\"}' || echo null";
    let asking = Asking::new(&fixture, "environment", script);
    let report = looks.environment(asking.order(), "e1").await.unwrap().unwrap();
    assert_eq!(report.status, EnvironmentStatus::Ready);
    assert_eq!(looks.environment(asking.order(), "e2").await, Ok(None));
    assert_eq!(looks.evidence(asking.order(), NOW).await, Err(ObserveFailure::NotConfigured));
    assert_eq!(left(&fixture), 0);
}

#[tokio::test]
async fn what_goes_wrong_with_a_look_is_one_line() {
    let fixture = Fixture::new();
    let looks = fixture.observations();
    let mut found = String::new();
    for script in [
        "echo no route >&2; exit 75",
        "echo no route >&2; exit 2",
        r#"echo '{"refused":"no such service"}'"#,
        "true",
        "echo '[]'",
        "echo up",
        r#"echo '{"status":"up"}'"#,
        "kill -9 $$",
        "head -c 1000000 /dev/zero",
    ] {
        let asking = Asking::new(&fixture, "environment", script);
        found.push_str(&failed(looks.environment(asking.order(), "e1").await));
        found.push('\n');
    }
    let mut asking = Asking::new(&fixture, "release-health", "exec tail -f /dev/null");
    asking.commands.get_mut("release-health").unwrap().time_limit_s = Some(0);
    found.push_str(&failed(looks.release_health(asking.order(), NOW).await));
    expect![[r#"
        environment: `sh -c echo no route >&2; exit 75` failed for now: no route
        environment: `sh -c echo no route >&2; exit 2` ended with status 2: no route
        environment: no such service
        environment: the answer of `sh -c true` is not an environment, or null: it is empty
        environment: the answer of `sh -c echo '[]'` is not an environment, or null: it is not a JSON object
        environment: the answer of `sh -c echo up` is not JSON: expected value at line 1 column 1
        environment: the answer of `sh -c echo '{"status":"up"}'` is not an environment, or null: unknown variant `up`, expected one of `provisioning`, `ready`, `failed`, `expired`, `torn-down` at line 1 column 14
        environment: `sh -c kill -9 $$` was killed by somebody else; see the machine's log
        environment: the answer of `sh -c head -c 1000000 /dev/zero` has more than 65536 bytes
        release-health: `sh -c exec tail -f /dev/null` did not end within its time limit of 0 s"#]].assert_eq(&found);
    assert_eq!(left(&fixture), 0);
}

#[tokio::test]
async fn a_look_nobody_waits_for_any_more_is_ended() {
    let fixture = Fixture::new();
    let (begun, held) = (fixture.fifo("begun"), fixture.fifo("held"));
    let looks = fixture.observations();
    // Its supervisor ends it when the host goes: the pipe it holds open is closed then.
    let script = format!("exec 3> {}; echo > {}; exec tail -f /dev/null", held.display(), begun.display());
    let asking = Asking::new(&fixture, "evidence", &script);
    let look = tokio::spawn(async move { looks.evidence(asking.order(), NOW).await });
    let until_closed = read_fifo(&held);
    let (_, ()) = tokio::join!(until_closed, async {
        read_fifo(&begun).await;
        look.abort();
    });
    // What it left is removed by the next host, once its supervisor is gone.
    let is_gone = |()| {
        drop(fixture.observations());
        left(&fixture) == 0
    };
    assert!(std::iter::repeat_n((), LOOKS_MAX).any(is_gone));
}
