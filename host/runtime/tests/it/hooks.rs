//! What happens on a forge, delivered or found: what follows, once, and across crashes.

use crate::board::workspace;
use crate::host::{Host, World, component, descriptor, dispatch};
use expect_test::expect;
use lockstep_ports::{
    BoardCommand, BoardService, Deliveries, ForgePullRequest, ForgeReview, NewDelivery, ReviewVerdict,
    RunQuery, RunService,
};
use lockstep_runtime::{HookOptions, StandardComponent};
use lockstep_testkit::{FakeForge, MemDeliveries};
use lockstep_types::board::{Item, PipelinePatch, PipelineStep};
use lockstep_types::{ItemLevel, ItemStatus, JsonText, RunId, RunStatus, Timestamp};
use serde_json::{Value, json};
use std::sync::Arc;

const HEAD: &str = "1111111111111111111111111111111111111111";
const PUSHED: &str = "2222222222222222222222222222222222222222";
const LOOK_MS: u64 = 5 * 60 * 1000;

/// What outlives a host beside its world.
struct Outside {
    world: World,
    deliveries: MemDeliveries,
    forge: Arc<FakeForge>,
}

impl Outside {
    /// A forge with one open pull request of the branch `sum`.
    fn new() -> Self {
        let forge = FakeForge::with("/repository", "acme/shop");
        forge.set_tip("sum", HEAD);
        forge.set_tip("main", HEAD);
        Self { world: World::new(), deliveries: MemDeliveries::default(), forge: Arc::new(forge) }
    }

    /// A host with a service, the kinds an ordinary pipeline has, and such a pipeline.
    fn open(&self) -> Host {
        let host = self.world.open();
        let kinds = ["agent", "ci-gate"].map(|kind| (kind, component(&descriptor(kind, "1"))));
        let standard = kinds.each_ref().map(|(name, bytes)| StandardComponent { name, bytes });
        host.run(host.runtime.install(&standard)).unwrap();
        if host.run(host.runtime.items(&workspace())).unwrap().is_empty() {
            host.service();
            let step = |(name, kind): (&str, &str)| PipelineStep {
                name: name.to_owned(),
                kind: kind.to_owned(),
                role: Some(name.to_owned()),
                needs: None,
                approval: false,
                enabled: true,
                gating: None,
                config: JsonText::null(),
            };
            let steps = [("code", "agent"), ("ci", "ci-gate"), ("look", "writer")].map(step).to_vec();
            let name = Some("Ours".to_owned());
            let patch = PipelinePatch { name, steps: Some(steps), ..PipelinePatch::default() };
            host.command(BoardCommand::CreatePipeline(patch)).unwrap();
        }
        host.settle();
        host.run(async {
            host.runtime.take_up_hooks(HookOptions {
                deliveries: Arc::new(self.deliveries.clone()),
                forge: Arc::<FakeForge>::clone(&self.forge),
                checks: None,
                label: "lockstep".to_owned(),
                pipeline: Some("Ours".to_owned()),
            });
        });
        host.settle();
        host
    }

    /// Delivers, and tells what became of it.
    fn deliver(&self, host: &Host, id: &str, event: &str, payload: &Value) -> String {
        let body = payload.to_string().into_bytes();
        let new = NewDelivery { id: id.to_owned(), event: event.to_owned(), body, at: Timestamp(1000) };
        host.run(self.deliveries.take(new)).unwrap();
        host.settle();
        self.told(host, id)
    }

    fn told(&self, host: &Host, id: &str) -> String {
        let (delivery, _) = host.run(self.deliveries.get(id)).unwrap().unwrap();
        format!("{}: {}\n", delivery.state.word(), delivery.outcome.unwrap_or_default())
    }

    /// Takes a delivery up once more, as after a crash before it was marked.
    fn once_more(&self, host: &Host, id: &str) -> String {
        self.deliveries.unsettle(id);
        host.settle();
        self.told(host, id)
    }

    fn labelled(&self, host: &Host) -> RunId {
        let told = self.deliver(host, "start", "pull_request", &on("labeled", HEAD));
        assert!(told.starts_with("done: "), "{told}");
        only_task(host).current_run.unwrap()
    }
}

fn only_task(host: &Host) -> Item {
    let items = host.run(host.runtime.items(&workspace())).unwrap();
    let mut tasks: Vec<Item> = items.into_iter().filter(|item| item.level == ItemLevel::Task).collect();
    assert_eq!(tasks.len(), 1, "one pull request has one item");
    tasks.remove(0)
}

fn on(action: &str, head: &str) -> Value {
    let end =
        |branch: &str, sha: &str| json!({"ref": branch, "sha": sha, "repo": {"full_name": "acme/shop"}});
    json!({
        "action": action,
        "label": {"name": "lockstep"},
        "pull_request": {
            "number": 7, "html_url": "https://github.com/acme/shop/pull/7", "title": "Sum in euros",
            "body": "as asked", "state": "open", "head": end("sum", head), "base": end("main", HEAD),
        },
        "repository": {"full_name": "acme/shop"},
        "sender": {"login": "ann"},
    })
}

fn check(head: &str, conclusion: &str) -> Value {
    json!({
        "action": "completed",
        "check_run": {
            "name": "test", "head_sha": head, "conclusion": conclusion, "pull_requests": [{"number": 7}],
        },
        "repository": {"full_name": "acme/shop"},
        "sender": {"login": "ci"},
    })
}

fn review(id: u64, text: &str) -> Value {
    let mut review = on("submitted", HEAD);
    review["review"] = json!({
        "id": id, "user": {"login": "bob"}, "body": text, "commit_id": HEAD, "state": "changes_requested",
        "author_association": "MEMBER",
    });
    review
}

fn request(is_open: bool, labels: &[&str], head: &str) -> ForgePullRequest {
    ForgePullRequest {
        number: 7,
        url: "https://github.com/acme/shop/pull/7".to_owned(),
        title: "Sum in euros".to_owned(),
        body: "as asked".to_owned(),
        author: "ann".to_owned(),
        is_open,
        is_merged: false,
        head_branch: Some("sum".to_owned()),
        head_commit: head.to_owned(),
        base_branch: "main".to_owned(),
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        updated_at: Timestamp(1),
    }
}

/// The run's history without ids that differ from test to test.
fn history(host: &Host, run: &RunId) -> String {
    let history = host.history(run);
    let lines = history.lines().filter(|line| !line.contains(": invoked") && !line.contains(" invoked:"));
    lines.map(|line| format!("{}\n", line.split_once(' ').map_or(line, |(_, rest)| rest))).collect()
}

#[test]
fn a_label_starts_one_run_of_an_item_that_is_made_however_often_it_is_told() {
    let mut outside = Outside::new();
    outside.world.says("code", [dispatch()]);
    let host = outside.open();
    let run = outside.labelled(&host);
    let item = only_task(&host);
    assert_eq!((item.title.as_str(), item.head_branch.as_deref()), ("Sum in euros", Some("sum")));
    assert_eq!(item.pull_request.and_then(|request| request.number), Some(7));
    let view = host.get(&run);
    assert_eq!((view.initiator.as_str(), view.summary.pipeline.as_str()), ("github:ann", "Ours"));
    assert_eq!(view.summary.change.pull_request.map(|request| request.url), item_url(&host));
    let again = outside.once_more(&host, "start");
    let other = outside.deliver(&host, "d2", "pull_request", &on("labeled", HEAD));
    let host = outside.world.crash(host);
    drop(host);
    let host = outside.open();
    let after = outside.once_more(&host, "start");
    let told = [again, other, after].concat().replace(run.as_str(), "RUN");
    expect![[r#"
        ignored: default-16 has the live run RUN
        ignored: default-16 has the live run RUN
        ignored: default-16 has the live run RUN
    "#]]
    .assert_eq(&told);
    assert_eq!(host.run(host.runtime.list(RunQuery::default())).unwrap().runs.len(), 1);
    assert_eq!(outside.forge.fetched(), ["sum", "main"]);
}

fn item_url(host: &Host) -> Option<String> {
    only_task(host).pull_request.map(|request| request.url)
}

#[test]
fn a_failed_check_sends_an_item_back_that_awaits_a_merge_and_the_same_commit_again_needs_a_person() {
    let outside = Outside::new();
    let host = outside.open();
    let run = outside.labelled(&host);
    assert_eq!(only_task(&host).status, ItemStatus::PrReady);
    let mut told = outside.deliver(&host, "d1", "check_run", &check(HEAD, "failure"));
    told += &outside.once_more(&host, "d1");
    told += &outside.deliver(&host, "d2", "check_run", &check(PUSHED, "failure"));
    told += &outside.deliver(&host, "d3", "check_run", &check(HEAD, "success"));
    told += &outside.deliver(&host, "d4", "check_run", &check(HEAD, "failure"));
    told += &outside.deliver(&host, "d5", "check_run", &check(HEAD, "timed_out"));
    expect![[r#"
        done: RUN goes back to ci
        ignored: it was taken up before
        ignored: it is of another commit than the one the run stands for
        ignored: a check passed, and no run waits
        done: a person is told: ITEM: the check "test" failed again, though the run was sent back for this commit
        ignored: a person was told already
    "#]].assert_eq(&told.replace(run.as_str(), "RUN").replace(only_task(&host).id.as_str(), "ITEM"));
    assert_eq!(host.count(&run, "restarted"), 1);
    let cards = host.cards().into_iter().map(|card| card.notice.kind).collect::<Vec<_>>();
    assert_eq!(cards, ["pipeline_complete", "forge-needs-you"]);
}

#[test]
fn requested_changes_reach_the_producer_whether_its_run_is_live_or_has_ended() {
    let outside = Outside::new();
    outside.world.says("ci", [dispatch()]);
    let host = outside.open();
    let run = outside.labelled(&host);
    let mut told = outside.deliver(&host, "d1", "pull_request_review", &review(80, "tax is missing"));
    told += &outside.once_more(&host, "d1");
    assert_eq!(only_task(&host).status, ItemStatus::PrReady);
    told += &outside.deliver(&host, "d2", "pull_request_review", &review(81, "name it"));
    told += &outside.deliver(&host, "d3", "pull_request_review", &review(81, "name it"));
    expect![[r#"
        done: code of RUN does its work again
        ignored: it was taken up before
        done: code of RUN does its work again
        ignored: it was taken up before
         created: Ours: sum into main
        code step-started: started
        code step-completed: done: code
        ci step-started: started
        ci job-dispatched: job work #1
        code step-started: works again for github review at 1111111111111111111111111111111111111111 (review 80): bob: tax is missing
        code step-completed: done: code
        ci step-started: started
        ci step-completed: done: ci
        look step-started: started
        look step-completed: done: look
         notice-raised: notice pipeline_complete: default-16 went through Ours
         run-completed: done
        code restarted: restarted by github review at 1111111111111111111111111111111111111111 (review 81)
        code step-started: works again for github review at 1111111111111111111111111111111111111111 (review 81): bob: name it
        code step-completed: done: code
        ci step-started: started
        ci step-completed: done: ci
        look step-started: started
        look step-completed: done: look
         notice-raised: notice pipeline_complete: default-16 went through Ours
         run-completed: done
    "#]].assert_eq(&(told + &history(&host, &run)).replace(run.as_str(), "RUN"));
}

#[test]
fn a_push_by_somebody_else_begins_again_what_came_after_the_producer_and_its_own_changes_nothing() {
    let outside = Outside::new();
    outside.world.says("look", [dispatch(), dispatch()]);
    let host = outside.open();
    let run = outside.labelled(&host);
    let mut told = outside.deliver(&host, "d1", "pull_request", &on("synchronize", HEAD));
    outside.forge.set_tip("sum", PUSHED);
    told += &outside.deliver(&host, "d2", "pull_request", &on("synchronize", PUSHED));
    let push = json!({
        "ref": "refs/heads/sum", "after": PUSHED, "repository": {"full_name": "acme/shop"},
        "sender": {"login": "bob"},
    });
    told += &outside.deliver(&host, "d3", "push", &push);
    expect![[r#"
        ignored: it is the commit the run stands for
        done: RUN begins again with ci, look at 2222222222222222222222222222222222222222
        ignored: it is the commit the run stands for
    "#]]
    .assert_eq(&told.replace(run.as_str(), "RUN"));
    let view = host.get(&run);
    assert_eq!(view.summary.change.head_commit.as_deref(), Some(PUSHED));
    let attempts: Vec<u32> = view.steps.iter().map(|step| step.attempt).collect();
    assert_eq!(attempts, [1, 2, 2]);
}

#[test]
fn a_merge_outside_ends_the_item_and_a_closed_pull_request_stops_the_run() {
    for (merged, status, item) in
        [(true, RunStatus::Done, ItemStatus::Done), (false, RunStatus::Failed, ItemStatus::Blocked)]
    {
        let outside = Outside::new();
        outside.world.says("ci", [dispatch()]);
        let host = outside.open();
        let run = outside.labelled(&host);
        assert_eq!(host.status(&run), RunStatus::Running);
        let mut closed = on("closed", HEAD);
        closed["pull_request"]["merged"] = json!(merged);
        let told = outside.deliver(&host, "d1", "pull_request", &closed);
        assert!(told.starts_with("done: "), "{told}");
        assert_eq!((host.status(&run), only_task(&host).status), (status, item));
        assert!(outside.once_more(&host, "d1").starts_with("ignored: "));
    }
}

#[test]
fn what_cannot_be_taken_up_is_tried_again_and_then_given_up() {
    let outside = Outside::new();
    let host = outside.open();
    outside.forge.set_failure(Some("no network"));
    let first = outside.deliver(&host, "d1", "pull_request", &on("labeled", HEAD));
    assert_eq!(first, "waiting: no network\n");
    outside.forge.set_failure(None);
    outside.world.clock.advance_ms(1000);
    host.settle();
    assert!(outside.told(&host, "d1").starts_with("done: "));
    outside.forge.set_failure(Some("still none"));
    let mut moved = on("synchronize", PUSHED);
    moved["repository"]["full_name"] = json!("ACME/Shop");
    assert_eq!(outside.deliver(&host, "d2", "pull_request", &moved), "waiting: still none\n");
    for _ in 0..40 {
        outside.world.clock.advance_ms(3_600_000);
        host.settle();
    }
    assert_eq!(outside.told(&host, "d2"), "failed: given up after 24 tries: still none\n");
    let mut told = outside.deliver(&host, "d3", "push", &json!({"ref": 7}));
    let mut other = on("labeled", HEAD);
    other["repository"]["full_name"] = json!("acme/other");
    told += &outside.deliver(&host, "d4", "pull_request", &other);
    told += &outside.deliver(&host, "d5", "ping", &json!({"zen": "…"}));
    told += &outside.deliver(&host, "d6", "star", &json!({}));
    expect![[r#"
        failed: the payload of "push" is not what GitHub documents: invalid type: integer `7`, expected a string at line 1 column 8
        ignored: acme/other is no [[repository]] of config.toml
        done: the forge reaches this host
        ignored: says nothing of a change
    "#]].assert_eq(&told);
}

#[test]
fn what_happened_while_the_host_was_down_is_found_at_its_start() {
    let mut outside = Outside::new();
    outside.world.says("look", [dispatch(), dispatch(), dispatch(), dispatch()]);
    outside.forge.set_pull_request(request(true, &["bug", "Lockstep"], HEAD));
    let host = outside.open();
    let run = only_task(&host).current_run.unwrap();
    assert_eq!(host.status(&run), RunStatus::Running, "its label started it");
    // Down, somebody pushes; and the label is still there.
    outside.forge.set_tip("sum", PUSHED);
    outside.forge.set_pull_request(request(true, &["Lockstep"], PUSHED));
    drop(outside.world.crash(host));
    let host = outside.open();
    assert_eq!(host.get(&run).summary.change.head_commit.as_deref(), Some(PUSHED));
    assert_eq!(only_task(&host).current_run, Some(run.clone()));
    // Changes are requested of that commit, by somebody who may and by somebody who may not.
    let review = |id, may_write| ForgeReview {
        id,
        author: format!("reviewer-{id}"),
        author_may_write: may_write,
        verdict: ReviewVerdict::ChangesRequested,
        body: "tax is missing".to_owned(),
        commit: PUSHED.to_owned(),
        at: Timestamp(5),
    };
    outside.forge.set_reviews(7, vec![review(1, false), review(2, true)]);
    drop(outside.world.crash(host));
    let host = outside.open();
    outside.world.clock.advance_ms(LOOK_MS);
    host.settle();
    let reworked = history(&host, &run).lines().filter(|line| line.contains("works again")).count();
    assert_eq!(reworked, 1, "{}", history(&host, &run));
    // Down again, it is closed.
    outside.forge.set_pull_request(request(false, &[], PUSHED));
    drop(outside.world.crash(host));
    let host = outside.open();
    assert_eq!(host.status(&run), RunStatus::Failed);
}
