//! A change goes through a pipeline of components, and lands.

use crate::shop::Shop;

#[test]
fn a_branch_with_a_defect_is_repaired_reviewed_and_merged() {
    let shop = Shop::new();
    let (pipeline, repo) = (shop.pipeline(), shop.repo());
    let args = shop.run_args(pipeline.to_str().unwrap(), repo.to_str().unwrap(), "discount");
    let ran = shop.host.run(&args);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    for seen in ["job ci-fixer", "works again for review", "merge"] {
        assert!(ran.out.contains(seen), "{seen:?} is not in the timeline:\n{}", ran.out);
    }
    let lib = shop.git(&["show", "main:src/lib.rs"]);
    assert!(lib.contains("pieces >= LARGE"), "the defect is repaired on main");
    assert!(lib.contains("/// Computes the discount"), "what the review asked for is on main");
    assert_eq!(shop.trailers("main", "Lockstep-Effect:").len(), 1);

    let runs = shop.host.json(&["runs", "list"]);
    assert_eq!(runs[0]["status"], "done");
    assert_eq!(runs[0]["item_status"], "done");
    let verified = shop.host.json(&["verify", "latest"]);
    assert_eq!(verified["problems"].as_array().map(Vec::len), Some(0), "{verified}");
    assert_eq!(verified["replay"]["differences"].as_array().map(Vec::len), Some(0), "{verified}");
    assert!(verified["replay"]["invocations"].as_u64().unwrap() > 10);
}

#[test]
fn a_run_that_needs_a_person_says_so_and_goes_on_when_answered() {
    let shop = Shop::new();
    let text = std::fs::read_to_string(shop.pipeline()).unwrap();
    let asked = text.replace("kind = \"merge-resolver\"", "kind = \"merge-resolver\"\napproval = true\n\n[[steps]]\nname = \"after\"\nkind = \"conflicts-gate\"");
    let pipeline = shop.write_pipeline(&asked);
    let repo = shop.repo();
    let before = shop.git(&["rev-parse", "main"]);
    let args = shop.run_args(pipeline.to_str().unwrap(), repo.to_str().unwrap(), "receipt");
    let ran = shop.host.run(&args);
    assert_eq!(ran.status, Some(4), "{ran:?}");
    assert!(ran.out.contains("runs answer"), "it says how to answer:\n{}", ran.out);
    assert_eq!(shop.git(&["rev-parse", "main"]), before, "nothing is merged without consent");
    let why = shop.host.run(&["why", "latest"]);
    assert!(why.out.contains("merge"), "{why:?}");

    let answered = shop.host.run(&["runs", "answer", "latest", "--approve"]);
    assert_eq!(answered.status, Some(0), "{answered:?}");
    let resumed = shop.host.run(&["run", "--resume", "latest"]);
    assert_eq!(resumed.status, Some(0), "{resumed:?}");
    assert_eq!(shop.trailers("main", "Lockstep-Effect:").len(), 1);
}
