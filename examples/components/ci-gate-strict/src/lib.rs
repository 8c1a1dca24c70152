//! Version 2 of step kind `ci-gate`: decides only when every check has ended, and says so.
//!
//! Its state has the shape of version 1, so a live run can be moved from one to the other. It shows what an
//! operator who replaces step logic writes: a few lines around the standard machine.

use lockstep_gate::verdict::Rules;
use lockstep_gate::{GateState, ci};
use lockstep_sdk::{Call, Descriptor, Event, Host, Step, StepError, Transition};

struct StrictCiGate;

impl Step for StrictCiGate {
    type Config = ci::Config;
    type State = GateState;

    fn descriptor() -> Descriptor {
        let summary = "Waits until every check of the change has ended before it decides.";
        Descriptor::new("ci-gate", env!("CARGO_PKG_VERSION"), summary)
            .config_schema(ci::CONFIG_SCHEMA)
            .jobs([ci::HELPER])
            .writes()
    }

    fn advance(
        call: &Call<ci::Config>,
        state: GateState,
        event: Event,
        host: &impl Host,
    ) -> Result<Transition<GateState>, StepError> {
        let rules = Rules { wait_for_all: true, ..call.config.rules() };
        let mut transition = ci::advance(call, rules, state, event, host)?;
        if let Some(note) = &mut transition.note {
            note.insert_str(0, "strict: ");
        }
        Ok(transition)
    }
}

lockstep_sdk::export_step!(StrictCiGate);

#[cfg(test)]
mod tests {
    use super::StrictCiGate;
    use lockstep_sdk::testing::{Bench, check, check_schema, checks_at};

    #[test]
    fn a_failure_waits_for_the_checks_still_running() {
        let mut bench = Bench::<StrictCiGate>::new("{}");
        let some = vec![check("test=failure"), check("lint=running")];
        bench.host.push_checks(Ok(checks_at(Some("3f2a91c77d"), some)));
        bench.host.push_checks(Ok(checks_at(
            Some("3f2a91c77d"),
            vec![check("test=failure"), check("lint=success")],
        )));
        expect_test::expect![[r#"
            wait     30000 ms: 1 check failing, waits for the rest; 1 of 2 checks running: lint
            note     strict: 1 check failing, waits for the rest; 1 of 2 checks running: lint at 3f2a91c
        "#]]
        .assert_eq(&bench.started());
        expect_test::expect![[r#"
            dispatch ci-fixer (write) {"attempt":1,"max_attempts":10,"head_commit":"3f2a91c77d","summary":"test (failure)","failing_checks":[{"name":"test","conclusion":"failure","url":null,"output":null}]}
            extra    ci-gate/ci-gate: test (failure)
            note     strict: 1 check failing at 3f2a91c: test (failure); ci-fixer attempt 1 of 10
            progress 1/10 ci-fixer at work
        "#]].assert_eq(&bench.due());
    }

    #[test]
    fn the_schema_fits_the_config() {
        check_schema::<StrictCiGate>();
    }
}
