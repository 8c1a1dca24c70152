use crate::fixture::{Fixture, provider, read_fifo, run_id, write_fifo};
use expect_test::expect;
use lockstep_ports::Effects;
use lockstep_types::{Effect, EffectOrder, EffectOutcome, JsonText, MergeMethod};
use std::path::{Path, PathBuf};

fn provision(fixture: &Fixture, number: u32) -> EffectOrder {
    let input = JsonText::new(r#"{"title":"Add b"}"#).unwrap();
    fixture.effect(Effect::Provision { input, keep: false }, number)
}

fn effect_folder(fixture: &Fixture, number: u32) -> PathBuf {
    fixture.root().join(format!("data/effects/run-1/merge.{number}"))
}

fn text(outcome: &EffectOutcome) -> String {
    match outcome {
        EffectOutcome::Done(told) => format!("done {}", told.as_str()),
        EffectOutcome::Refused(line) => format!("refused {line}"),
        EffectOutcome::Failed(line) => format!("failed {line}"),
        EffectOutcome::NotConfigured(line) => format!("not configured {line}"),
    }
}

fn lines(path: &Path) -> usize {
    std::fs::read_to_string(path).unwrap_or_default().lines().count()
}

#[tokio::test]
async fn a_command_is_asked_in_json_and_answers_in_json() {
    let fixture = Fixture::new();
    let seen = fixture.root().join("seen");
    let script = format!(
        "cat > {0}.stdin; cp $LOCKSTEP_REQUEST {0}; pwd > {0}.env; \
         echo $LOCKSTEP_EFFECT $LOCKSTEP_EFFECT_KEY $LOCKSTEP_STEP $LOCKSTEP_RUN $EXTRA >> {0}.env; \
         echo $LOCKSTEP_BASE_BRANCH $LOCKSTEP_HEAD_BRANCH $LOCKSTEP_HEAD_COMMIT ${{CARGO_PKG_NAME-unset}} >> {0}.env; \
         echo noise >&2; echo '{{\"id\": \"e1\", \"status\": \"provisioning\", \"url\": \"http://e1\", \"by\": \"us\"}}'",
        seen.display()
    );
    let mut command = provider(&script);
    command.env.insert("EXTRA".into(), "more".into());
    let outcome = fixture.effects().perform(&provision(&fixture, 1), Some(&command)).await;
    // Kept to the byte, with what only its provider understands.
    assert_eq!(
        text(&outcome),
        r#"done {"id": "e1", "status": "provisioning", "url": "http://e1", "by": "us"}"#
    );
    let request = std::fs::read_to_string(&seen).unwrap();
    assert_eq!(request, r#"{"title":"Add b"}"#);
    assert_eq!(std::fs::read_to_string(fixture.root().join("seen.stdin")).unwrap(), request);
    let (repo, head) = (fixture.repo(), fixture.tip("feature"));
    assert_eq!(
        std::fs::read_to_string(fixture.root().join("seen.env")).unwrap(),
        format!(
            "{}\nprovision run-1/merge/effect-1 merge run-1 more\nmain feature {head} unset\n",
            repo.display()
        )
    );
    // An environment goes back to its provider as it told of it.
    let EffectOutcome::Done(told) = outcome else { panic!() };
    let order = fixture.effect(Effect::Teardown(told.clone()), 2);
    let down = provider(&format!("cp $LOCKSTEP_REQUEST {}", seen.display()));
    assert_eq!(text(&fixture.effects().perform(&order, Some(&down)).await), "done {}");
    assert_eq!(std::fs::read_to_string(&seen).unwrap(), told.as_str());
}

#[tokio::test]
async fn an_effect_takes_place_once_however_often_its_key_arrives() {
    let fixture = Fixture::new();
    let count = fixture.root().join("count");
    let command = provider(&format!("echo x >> {}; echo '{{\"url\":\"http://t\"}}'", count.display()));
    let order = fixture.effect(Effect::OpenTicket(JsonText::new("{}").unwrap()), 1);
    let effects = fixture.effects();
    let (first, second) =
        tokio::join!(effects.perform(&order, Some(&command)), effects.perform(&order, Some(&command)));
    assert_eq!((text(&first).as_str(), &first), (r#"done {"url":"http://t"}"#, &second));
    assert_eq!(fixture.effects().perform(&order, Some(&command)).await, first);
    assert_eq!(lines(&count), 1);
    // A failure is an outcome too: what is to be tried again has another key.
    let fails = provider(&format!("echo x >> {}; exit 1", count.display()));
    let mut order = order;
    order.key.number = 2;
    let failed = effects.perform(&order, Some(&fails)).await;
    assert_eq!(effects.perform(&order, Some(&command)).await, failed);
    assert_eq!(lines(&count), 2);
    effects.forget(&run_id()).await;
    assert!(!fixture.root().join("data/effects/run-1").exists());
}

#[tokio::test]
async fn a_host_that_is_killed_over_an_effect_does_not_perform_it_twice() {
    let fixture = Fixture::new();
    let (begun, go, count) = (fixture.fifo("begun"), fixture.fifo("go"), fixture.root().join("count"));
    let script = format!(
        "echo x >> {}; echo > {}; cat {} > /dev/null; echo '{{\"id\":\"e1\",\"status\":\"ready\"}}'",
        count.display(),
        begun.display(),
        go.display()
    );
    let (command, order, effects) = (provider(&script), provision(&fixture, 1), fixture.effects());
    let (killed, of_killed) = (command.clone(), order.clone());
    let host = tokio::spawn(async move { effects.perform(&of_killed, Some(&killed)).await });
    read_fifo(&begun).await;
    host.abort();
    assert!(host.await.is_err());
    let next = fixture.effects();
    let waiting = tokio::spawn(async move { next.perform(&order, Some(&command)).await });
    write_fifo(&go, "").await;
    let outcome = waiting.await.unwrap();
    assert_eq!(text(&outcome), r#"done {"id":"e1","status":"ready"}"#);
    assert_eq!(lines(&count), 1);
}

#[tokio::test]
async fn an_effect_that_ended_while_no_host_was_there_is_found_ended() {
    let fixture = Fixture::new();
    let count = fixture.root().join("count");
    let command = provider(&format!("echo x >> {}", count.display()));
    let order = fixture.effect(Effect::AnnotateIncident(JsonText::new("{}").unwrap()), 1);
    assert_eq!(text(&fixture.effects().perform(&order, Some(&command)).await), "done {}");
    // As if the host had been killed before it kept the outcome.
    std::fs::remove_file(effect_folder(&fixture, 1).join("outcome.json")).unwrap();
    assert_eq!(text(&fixture.effects().perform(&order, Some(&command)).await), "done {}");
    assert_eq!(lines(&count), 1);
    // As if the machine had gone down: nobody knows how far it came, so it is run again, but not for ever.
    for times in 2..=3 {
        std::fs::remove_file(effect_folder(&fixture, 1).join("outcome.json")).unwrap();
        std::fs::remove_file(effect_folder(&fixture, 1).join("exit.json")).unwrap();
        assert_eq!(text(&fixture.effects().perform(&order, Some(&command)).await), "done {}");
        assert_eq!(lines(&count), times);
    }
    std::fs::remove_file(effect_folder(&fixture, 1).join("outcome.json")).unwrap();
    std::fs::remove_file(effect_folder(&fixture, 1).join("exit.json")).unwrap();
    let outcome = fixture.effects().perform(&order, Some(&command)).await;
    assert!(text(&outcome).contains("was lost 3 times; look whether it took place"), "{outcome:?}");
    assert_eq!(lines(&count), 3);
}

#[tokio::test]
async fn what_goes_wrong_with_an_effect_is_one_line() {
    let fixture = Fixture::new();
    let effects = fixture.effects();
    let mut number = 0;
    let mut found = String::new();
    let mut limited = provider("exec tail -f /dev/null");
    limited.time_limit_s = Some(0);
    let mut unset = provider("exit 1");
    unset.pass_env = vec!["NO_SUCH_KEY_HERE".into()];
    let mut absent = provider("");
    absent.command = vec!["no-such-program".into()];
    let mut commands = vec![limited, unset, absent];
    commands.extend(
        [
            r#"echo '{"refused":"the\u000aquota is spent"}'"#,
            r#"echo '{"refused":"no"}'; exit 1"#,
            "echo later >&2; exit 75",
            "echo first >&2; echo last >&2; echo >&2; exit 3",
            "kill -9 $$",
            "kill -15 $$",
            "true",
            "echo hello",
            "echo '{\"id\":\"a\"'",
            "printf '\\377'",
            "echo '[\"a\",\"ready\"]'",
            r#"echo '{"id":"a"}'"#,
            r#"echo '{"id":" ","status":"ready"}'"#,
            r#"echo '{"id":"a","status":"up"}'"#,
            r#"echo '{"id":"a","status":"ready","expires_at":"soon"}'"#,
            "exec yes",
            "head -c 70000 /dev/zero | tr '\\0' ' '; echo '{}'",
            "(sleep 1000 &) ; echo '{\"id\":\"a\",\"status\":\"ready\"}'",
        ]
        .map(provider),
    );
    for mut command in commands {
        number += 1;
        if command.command.last().is_some_and(|script| script == "exec yes") {
            // Endless output is ended by the limit, and nothing but its end is kept.
            command.time_limit_s = Some(0);
        }
        let outcome = effects.perform(&provision(&fixture, number), Some(&command)).await;
        let line = text(&outcome);
        assert!(!line.contains('\n'), "{line}");
        found.push_str(&line);
        found.push('\n');
    }
    expect![[r#"
        failed provision: `sh -c exec tail -f /dev/null` did not end within its time limit of 0 s
        failed provision: `sh -c exit 1` ended with status 1 (NO_SUCH_KEY_HERE of pass_env is not set where the host runs)
        failed provision: there is no command `no-such-program`: install it or correct `command` in [effects.provision]
        refused provision: the quota is spent
        refused provision: no
        failed provision: `sh -c echo later >&2; exit 75` failed for now: later
        failed provision: `sh -c echo first >&2; echo last >&2; echo >&2; exit 3` ended with status 3: last
        failed provision: `sh -c kill -9 $$` was killed by somebody else; see the machine's log
        failed provision: `sh -c kill -15 $$` was ended by signal 15
        failed provision: the answer of `sh -c true` is not an environment: missing field `id` at line 1 column 2
        failed provision: the answer of `sh -c echo hello` is not JSON: expected value at line 1 column 1
        failed provision: the answer of `sh -c echo '{"id":"a"'` is not JSON: EOF while parsing an object at line 1 column 9
        failed provision: the answer of `sh -c printf '\377'` is not UTF-8
        failed provision: the answer of `sh -c echo '["a","ready"]'` is not an environment: it is not a JSON object
        failed provision: the answer of `sh -c echo '{"id":"a"}'` is not an environment: missing field `status` at line 1 column 10
        failed provision: the answer of `sh -c echo '{"id":" ","status":"ready"}'` is not an environment: its `id` is empty
        failed provision: the answer of `sh -c echo '{"id":"a","status":"up"}'` is not an environment: unknown variant `up`, expected one of `provisioning`, `ready`, `failed`, `expired`, `torn-down` at line 1 column 24
        failed provision: the answer of `sh -c echo '{"id":"a","status":"ready","expires_at":"soon"}'` is not an environment: invalid type: string "soon", expected u64 at line 1 column 47
        failed provision: `sh -c exec yes` did not end within its time limit of 0 s
        failed provision: the answer of `sh -c head -c 70000 /dev/zero | tr '\0' ' '; echo '{}'` has more than 65536 bytes
        done {"id":"a","status":"ready"}
    "#]].assert_eq(&found);
}

#[tokio::test]
async fn without_a_command_an_effect_is_not_configured() {
    let fixture = Fixture::new();
    let effects = fixture.effects();
    let outcome = effects.perform(&provision(&fixture, 1), None).await;
    assert!(
        text(&outcome).starts_with("not configured no command performs provision: add [effects.provision]")
    );
    // Merges are git's.
    let order = fixture.merge(MergeMethod::Merge);
    assert!(matches!(effects.perform(&order, None).await, EffectOutcome::Done(_)));
    let mut order = provision(&fixture, 2);
    order.change.repository = "/nowhere".into();
    let outcome = effects.perform(&order, Some(&provider("true"))).await;
    assert_eq!(text(&outcome), "failed provision: there is no folder /nowhere to run its command in");
}

/// The log of a command that writes without end holds only its end.
#[tokio::test]
async fn endless_output_costs_bounded_space() {
    let fixture = Fixture::new();
    let command = provider("yes | head -c 20000000");
    let outcome = fixture.effects().perform(&provision(&fixture, 1), Some(&command)).await;
    assert!(text(&outcome).contains("has more than 65536 bytes"), "{outcome:?}");
    let kept: u64 = std::fs::read_dir(effect_folder(&fixture, 1))
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert!(kept < 6 << 20, "{kept}");
}
