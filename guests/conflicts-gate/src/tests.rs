use super::ConflictsGate;
use expect_test::expect;
use lockstep_sdk::mergeability::{Report, Verdict};
use lockstep_sdk::testing::{Bench, check_schema};
use lockstep_sdk::{JobOutcome, ObserveError};

fn report(verdict: Verdict, conflicts: &[&str]) -> Result<Report, ObserveError> {
    let conflicts = conflicts.iter().map(|path| (*path).to_owned()).collect();
    Ok(Report { head_commit: Some("3f2a91c77d".to_owned()), verdict, conflicts })
}

fn gate(looks: &[Verdict]) -> Bench<ConflictsGate> {
    let mut bench = Bench::new("{}");
    for verdict in looks {
        bench.host.push_mergeability(report(*verdict, &[]));
    }
    bench
}

#[test]
fn the_schema_fits_the_config() {
    check_schema::<ConflictsGate>();
}

#[test]
fn cf_2_mergeable_passes_and_so_does_a_change_without_a_commit() {
    expect![[r#"
        complete merges into main without conflicts
        note     merges into main without conflicts at 3f2a91c
    "#]]
    .assert_eq(&gate(&[Verdict::Mergeable]).started());
    let mut bench = Bench::<ConflictsGate>::new("{}");
    bench.host.push_mergeability(Ok(Report {
        head_commit: None,
        verdict: Verdict::Conflicted,
        conflicts: Vec::new(),
    }));
    expect![[r#"
        complete nothing to merge yet
        note     nothing to merge yet at no commit
    "#]]
    .assert_eq(&bench.started());
}

#[test]
fn cf_3_the_resolver_gets_the_paths_and_no_extra_output() {
    let mut bench = Bench::<ConflictsGate>::new(r#"{"instructions":"keep our prices"}"#);
    bench.host.push_mergeability(report(Verdict::Conflicted, &["src/cart.rs", "src/price.rs"]));
    expect![[r#"
        dispatch conflict-resolver (write) {"attempt":1,"max_attempts":3,"head_commit":"3f2a91c77d","base_branch":"main","conflicts":["src/cart.rs","src/price.rs"],"instructions":"keep our prices"}
        note     conflicts with main in 2 files: src/cart.rs, src/price.rs at 3f2a91c; conflict-resolver attempt 1 of 3
        progress 1/3 conflict-resolver at work
    "#]].assert_eq(&bench.started());
}

#[test]
fn cf_7_the_resolvers_account_shows_until_the_next_look() {
    let mut bench = gate(&[Verdict::Conflicted, Verdict::Unknown, Verdict::Mergeable]);
    bench.started();
    bench.job_done("kept both prices");
    assert!(bench.state().contains(r#""lastFailureSummary":"kept both prices""#));
    expect![[r#"
        wait     30000 ms: not known yet whether it merges into main
        note     not known yet whether it merges into main at 3f2a91c; look 1 of 120
    "#]]
    .assert_eq(&bench.due());
    assert!(!bench.state().contains("lastFailureSummary"), "CF-7: {}", bench.state());
    expect![[r#"
        complete merges into main without conflicts
        note     merges into main without conflicts at 3f2a91c
    "#]]
    .assert_eq(&bench.due());
}

#[test]
fn cf_4_cf_6_three_attempts_whatever_the_policy_says() {
    let mut bench = gate(&[Verdict::Conflicted]).policy(r#"{"ci_max_attempts":1}"#);
    bench.started();
    for _ in 0..2 {
        bench.job_failed("too hard");
        assert!(bench.due().starts_with("dispatch conflict-resolver"));
    }
    bench.job_done("");
    expect![[r#"
        fail     GateExhausted: the change conflicts with main and has to be resolved by hand; 3 conflict-resolver attempts were not enough
        note     conflicts with main at 3f2a91c; 3 conflict-resolver attempts were not enough
        notice   conflicts_failed: The change conflicts with its base branch | the change conflicts with main and has to be resolved by hand; 3 conflict-resolver attempts were not enough
    "#]].assert_eq(&bench.due());
}

#[test]
fn nobody_to_resolve_it_is_a_spent_budget() {
    let mut bench = gate(&[Verdict::Conflicted]);
    bench.started();
    expect![[r#"
        fail     GateExhausted: the change conflicts with main and has to be resolved by hand; nothing carries out `conflict-resolver` jobs; add [jobs.conflict-resolver] command = ["..."] to the pipeline file, or for items to .lockstep/commands.toml
        note     nothing carries out `conflict-resolver` jobs; add [jobs.conflict-resolver] command = ["..."] to the pipeline file, or for items to .lockstep/commands.toml
        notice   conflicts_failed: The change conflicts with its base branch | the change conflicts with main and has to be resolved by hand; nothing carries out `conflict-resolver` jobs; add [jobs.conflict-resolver] command = ["..."] to the pipeline file, or for items to .lockstep/commands.toml
    "#]].assert_eq(&bench.job(JobOutcome::NotConfigured(String::new())));
    assert!(bench.state().contains(r#""attempts":0"#));
}

#[test]
fn not_known_for_too_long_times_out() {
    let mut bench = gate(&[Verdict::Unknown]).policy(r#"{"gate_max_polls":1}"#);
    bench.started();
    expect![[r#"
        fail     Timeout: mergeability was still not decided after 1 look: not known yet whether it merges into main
        note     not known yet whether it merges into main at 3f2a91c; look 1 of 1
    "#]].assert_eq(&bench.due());
}

#[test]
fn gm_3_without_a_provider_it_lets_everything_through() {
    expect![[r#"
        complete skipped: no provider tells about mergeability
        note     skipped: no provider tells about mergeability
    "#]]
    .assert_eq(&Bench::<ConflictsGate>::new("{}").started());
}
