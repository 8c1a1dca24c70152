//! What is shown before a component takes over: cases, backtests, gates, canaries.

use crate::host::root;
use crate::shop::Shop;
use serde_json::Value;

/// Version 2 of the CI gate, which is to replace the one the binary brings.
fn strict() -> String {
    root().join("target/examples/ci-gate-strict.wasm").display().to_string()
}

/// The CI gate the binary brings.
fn standard() -> String {
    root().join("target/components/ci-gate.wasm").display().to_string()
}

impl Shop {
    fn run_branch(&self, branch: &str) {
        let (pipeline, repo) = (self.pipeline(), self.repo());
        let args = self.run_args(pipeline.to_str().unwrap(), repo.to_str().unwrap(), branch);
        assert_eq!(self.host.run(&args).status, Some(0));
    }
}

/// The JSON that a command writes that ends with `status`.
fn json(shop: &Shop, args: &[&str], status: i32) -> Value {
    let ran = shop.host.run(&[args, &["--json"]].concat());
    assert_eq!(ran.status, Some(status), "{args:?}: {ran:?}");
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{args:?}: {error}: {}", ran.out))
}

#[test]
fn a_candidate_is_backtested_and_gated_before_runs_get_it() {
    let shop = Shop::new();
    shop.run_branch("discount");
    let same = json(&shop, &["component", "backtest", &standard(), "--kind", "ci-gate"], 0);
    assert!(same["counts"]["identical"].as_u64() > Some(0), "{same}");
    let other = json(&shop, &["component", "backtest", &strict(), "--kind", "ci-gate"], 3);
    assert!(other["counts"]["changed"].as_u64() > Some(0), "{other}");
    let changed = other["counts"]["changed"].to_string();
    let digest = json(&shop, &["component", "add", &strict()], 0)["digest"].as_str().unwrap().to_owned();
    let gated =
        |gate: &[&str]| shop.host.run(&[&["component", "activate", "ci-gate", &digest], gate].concat());
    let refused = gated(&["--require-identical"]);
    assert_eq!(refused.status, Some(5), "{refused:?}");
    assert!(refused.err.contains(&format!("--max-changed {changed}`")), "{refused:?}");
    let passed = gated(&["--max-changed", &changed]);
    assert_eq!(passed.status, Some(0), "{passed:?}");
    assert!(passed.out.contains("backtest: "), "{passed:?}");
}

#[test]
fn a_canary_shows_both_verdicts() {
    let shop = Shop::new();
    let digest = json(&shop, &["component", "add", &strict()], 0)["digest"].as_str().unwrap().to_owned();
    let begun = shop.host.run(&["component", "canary", "ci-gate", &digest, "--share", "100"]);
    assert_eq!(begun.status, Some(0), "{begun:?}");
    shop.run_branch("discount");
    let watched = json(&shop, &["component", "canary", "ci-gate"], 0);
    assert_eq!(watched["candidate"]["done"], 1, "{watched}");
    let verdict = &watched["verdicts"]["cases"][0];
    assert_eq!(verdict["made_by"], digest.as_str(), "{watched}");
    assert!(shop.host.run(&["component", "canary", "ci-gate"]).out.contains("CANDIDATE"));
    let promoted = shop.host.run(&["component", "promote", "ci-gate"]);
    assert_eq!(promoted.status, Some(0), "{promoted:?}");
    let back = shop.host.run(&["component", "rollback", "ci-gate"]);
    assert_eq!(back.status, Some(0), "{back:?}");
}

#[test]
fn a_component_is_tested_alone_over_tables_and_capsules() {
    let shop = Shop::new();
    shop.run_branch("discount");
    let folder = shop.repo().join("cases");
    let out = folder.to_str().unwrap();
    let exported = json(&shop, &["capsule", "export", "latest", "ci", "--out", out], 0);
    assert!(!exported["capsules"].as_array().unwrap().is_empty());
    let status = |args: &[&str]| {
        let ran = shop.host.run(&[&["step", "test"], args].concat());
        (ran.status, ran.out)
    };
    assert_eq!(status(&[&standard(), out]).0, Some(0), "what was recorded comes out again");
    let (code, text) = status(&[&strict(), out]);
    assert!(code == Some(3) && text.contains("strict: "), "the other one has another note: {text}");
    let cases = root().join("examples/components/ci-gate-strict/cases.toml").display().to_string();
    assert_eq!(status(&[&strict(), &cases]).0, Some(0));
    let (code, text) = status(&[&standard(), &cases]);
    assert!(code == Some(3) && text.contains("expected wait"), "{text}");
    assert_eq!(status(&[&standard(), "--kind", "ci-gate"]).0, Some(0));
}
