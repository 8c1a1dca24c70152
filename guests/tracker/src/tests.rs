use super::Tracker;
use expect_test::expect;
use lockstep_sdk::EffectOutcome;
use lockstep_sdk::testing::{Bench, check_schema};

#[test]
fn the_schema_fits_the_config() {
    check_schema::<Tracker>();
}

#[test]
fn tr_1_the_body_is_the_analysis_else_the_description() {
    let mut bench = Bench::<Tracker>::new("{}").earlier_output("analysis", "too slow");
    let mut text = bench.started();
    text.push_str(&Bench::<Tracker>::new(r#"{"title_prefix":""}"#).started());
    let mut bench = Bench::<Tracker>::new("{}");
    bench.input.run.description = " ".to_owned();
    text.push_str(&bench.started());
    expect![[r#"
        perform  open-ticket {"title":"Tech debt: Take coupons","body":"too slow"}
        proposal Tech debt: Take coupons

                 too slow
        note     a ticket is filed: Tech debt: Take coupons
        perform  open-ticket {"title":"Take coupons","body":"do the thing"}
        proposal Take coupons

                 do the thing
        note     a ticket is filed: Take coupons
        perform  open-ticket {"title":"Tech debt: Take coupons","body":"Nothing more is known about it."}
        proposal Tech debt: Take coupons

                 Nothing more is known about it.
        note     a ticket is filed: Tech debt: Take coupons
    "#]]
    .assert_eq(&text);
}

#[test]
fn tr_1_it_never_fails_the_run() {
    let outcomes = [
        EffectOutcome::Done(r#"{"externalId":"X-1","url":"https://t.test/1"}"#.to_owned()),
        EffectOutcome::Done("null".to_owned()),
        EffectOutcome::Done("7".to_owned()),
        EffectOutcome::NotConfigured(String::new()),
        EffectOutcome::Failed("api down".to_owned()),
        EffectOutcome::Refused("no such project".to_owned()),
    ];
    let mut text = String::new();
    for outcome in outcomes {
        let mut bench = Bench::<Tracker>::new("{}");
        bench.started();
        text.push_str(bench.effect(outcome).lines().next().unwrap_or_default());
        text.push('\n');
    }
    expect![[r#"
        complete the ticket is filed: X-1, https://t.test/1
        complete skipped: no tracker is configured
        complete the ticket is filed
        complete skipped: no tracker is wired
        complete the ticket could not be filed: api down
        complete the ticket could not be filed: no such project
    "#]]
    .assert_eq(&text);
}
