use crate::fixture::{Fixture, NOW, run_id, sh};
use async_trait::async_trait;
use expect_test::expect;
use lockstep_ports::{Clock, Credentials, Jobs, Secret};
use lockstep_providers::LocalCredentials;
use lockstep_types::{Access, JobCommand, JobOutcome, Timestamp};
use std::path::Path;
use std::sync::Arc;

const TOKEN: &str = "gh\"p_0123456789";

struct Standing;

#[async_trait]
impl Clock for Standing {
    fn now(&self) -> Timestamp {
        NOW
    }

    async fn sleep_until(&self, _at: Timestamp) {}

    fn unique(&self) -> u64 {
        1
    }
}

fn needing(script: &str) -> JobCommand {
    JobCommand { credentials: vec!["github-token".into()], ..sh(script) }
}

async fn kept(fixture: &Fixture) -> Arc<LocalCredentials> {
    let credentials = LocalCredentials::new(&fixture.root().join("data"), Arc::new(Standing)).unwrap();
    let token = Secret::new(TOKEN.to_owned());
    credentials.set("ann", "github-token", token, None).await.unwrap();
    Arc::new(credentials)
}

/// Whether a file below a folder holds a text.
fn is_in(folder: &Path, text: &str) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            is_in(&path, text)
        } else {
            String::from_utf8_lossy(&std::fs::read(path).unwrap()).contains(text)
        }
    })
}

#[tokio::test]
async fn a_command_finds_what_its_run_has_leased_and_nothing_keeps_it() {
    let fixture = Fixture::new();
    let credentials = kept(&fixture).await;
    credentials.lease(&run_id(), "ann", &["github-token".into()], None).await.unwrap();
    let jobs = fixture.jobs().with_credentials(Arc::<LocalCredentials>::clone(&credentials));
    let length = fixture.root().join("length");
    // It tells its token to everybody: as text, as JSON, in its messages and in its result.
    let script = format!(
        "printf %s \"$GITHUB_TOKEN\" | wc -c > {}; echo said $GITHUB_TOKEN; echo oops $GITHUB_TOKEN >&2; \
         t=$(printf %s \"$GITHUB_TOKEN\" | sed 's/\"/\\\\\"/'); \
         printf '{{\"output\":\"it is %s\",\"report\":{{\"t\":\"%s\"}}}}' \"$t\" \"$t\" > $LOCKSTEP_RESULT",
        length.display()
    );
    let order = fixture.job(Access::ReadOnly);
    let outcome = jobs.carry_out(&order, Some(&needing(&script))).await;
    assert_eq!(std::fs::read_to_string(&length).unwrap().trim(), TOKEN.len().to_string());
    let JobOutcome::Done(result) = outcome else { panic!("{outcome:?}") };
    assert_eq!(result.output, "it is ***");
    assert_eq!(result.report.unwrap().as_str(), r#"{"t":"***"}"#);
    let log = jobs.log_tail(&order.key, 1000).await.unwrap();
    assert!(log.contains("said ***\n") && log.contains("oops ***\n"), "{log}");
    // A failure shows the end of the output, and that is without it too.
    let mut order = order;
    order.key.number = 2;
    let outcome = jobs.carry_out(&order, Some(&needing("echo $GITHUB_TOKEN; exit 1"))).await;
    let JobOutcome::Failed(text) = outcome else { panic!("{outcome:?}") };
    assert!(text.ends_with("\n***"), "{text}");
    assert!(!is_in(&fixture.root().join("data"), "p_0123456789"));
}

#[tokio::test]
async fn without_a_lease_a_job_does_not_begin() {
    let fixture = Fixture::new();
    let credentials = kept(&fixture).await;
    let begun = fixture.root().join("begun");
    let command = needing(&format!("touch {}", begun.display()));
    let mut order = fixture.job(Access::ReadOnly);
    let mut found = String::new();
    let jobs = fixture.jobs();
    let with = fixture.jobs().with_credentials(Arc::<LocalCredentials>::clone(&credentials));
    for jobs in [&jobs, &with] {
        let outcome = jobs.carry_out(&order, Some(&command)).await;
        let JobOutcome::Failed(line) = outcome else { panic!("{outcome:?}") };
        found.push_str(&format!("{line}\n"));
        order.key.number += 1;
    }
    credentials.lease(&run_id(), "ann", &["github-token".into()], None).await.unwrap();
    credentials.end(&run_id()).await;
    let outcome = with.carry_out(&order, Some(&command)).await;
    let JobOutcome::Failed(line) = outcome else { panic!("{outcome:?}") };
    found.push_str(&line);
    expect![[r#"
        agent: it needs credential github-token, and this host keeps none: remove it from [jobs.agent]
        agent: run run-1 has no lease of credential github-token any more: retry the run to lease it again
        agent: run run-1 has no lease of credential github-token any more: retry the run to lease it again"#]]
    .assert_eq(&found);
    assert!(!begun.exists() && fixture.worktrees().is_empty());
}
