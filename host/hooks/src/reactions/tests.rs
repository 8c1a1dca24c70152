use super::{Options, Reaction, react};
use crate::event::{ForgeEvent, Happened, SeenPullRequest};
use crate::known::{Budgets, Known, KnownRun, KnownStep, Mark, MarkKind};
use expect_test::expect;
use lockstep_ports::ReviewVerdict;
use lockstep_types::{FailureClass, ItemStatus, RunStatus, StepStatus};

const STEPS: [(&str, &str); 4] =
    [("code", "agent"), ("merges", "conflicts-gate"), ("ci", "ci-gate"), ("land", "merge-resolver")];

/// A run whose step `at` works, all before it are done.
fn live(at: &str) -> Known {
    let at = STEPS.iter().position(|(name, _)| *name == at).unwrap();
    let status = |ix: usize| match ix.cmp(&at) {
        std::cmp::Ordering::Less => StepStatus::Done,
        std::cmp::Ordering::Equal => StepStatus::Working,
        std::cmp::Ordering::Greater => StepStatus::Pending,
    };
    let step = |(ix, (name, kind)): (usize, &(&str, &str))| KnownStep {
        name: (*name).to_owned(),
        kind: (*kind).to_owned(),
        status: status(ix),
        asks_approval: false,
        review: None,
    };
    let run = KnownRun {
        id: "run-1".parse().unwrap(),
        status: RunStatus::Running,
        failure: None,
        head: Some("aaa".to_owned()),
        tip: Some("aaa".to_owned()),
        tip_is_news: false,
        has_effect: false,
        has_writer: false,
        steps: STEPS.iter().enumerate().map(step).collect(),
        budgets: Budgets { repairs: 2, reviews: 1 },
        marks: Vec::new(),
        cards: Vec::new(),
    };
    Known { item: "default-1".to_owned(), status: ItemStatus::InProgress, run: Some(run) }
}

/// A run that ended and awaits a merge.
fn ready() -> Known {
    let mut known = live("land");
    known.status = ItemStatus::PrReady;
    let run = known.run.as_mut().unwrap();
    run.status = RunStatus::Done;
    run.steps.iter_mut().for_each(|step| step.status = StepStatus::Done);
    known
}

/// A run that failed at a step.
fn failed(at: &str, class: FailureClass) -> Known {
    let mut known = live(at);
    known.status = ItemStatus::Blocked;
    let run = known.run.as_mut().unwrap();
    run.status = RunStatus::Failed;
    run.failure = Some(class);
    known
}

fn with(mut known: Known, change: impl FnOnce(&mut KnownRun)) -> Known {
    change(known.run.as_mut().unwrap());
    known
}

fn marked(known: Known, kind: MarkKind, heads: &[&str]) -> Known {
    let mark =
        |(at, head): (usize, &&str)| Mark { kind, head: (*head).to_owned(), from: format!("old {at}") };
    let marks: Vec<Mark> = heads.iter().enumerate().map(mark).collect();
    with(known, |run| run.marks.extend(marks))
}

fn on() -> SeenPullRequest {
    SeenPullRequest {
        number: 7,
        url: "https://github.com/acme/shop/pull/7".to_owned(),
        title: "Sum".to_owned(),
        body: String::new(),
        head_branch: Some("sum".to_owned()),
        head_commit: "aaa".to_owned(),
        base_branch: "main".to_owned(),
        is_open: true,
    }
}

fn check(head: &str, failed: bool) -> Happened {
    let (numbers, branches) = (vec![7], Vec::new());
    Happened::CheckSettled { head: head.to_owned(), name: "test".to_owned(), failed, numbers, branches }
}

fn review(id: u64, verdict: ReviewVerdict) -> Happened {
    let text = "tax is missing".to_owned();
    let author = "bob".to_owned();
    Happened::Reviewed {
        on: on(),
        review: id,
        author,
        may_write: true,
        verdict,
        text,
        commit: "aaa".to_owned(),
    }
}

fn rejected(conflicts: bool) -> Happened {
    let reason = if conflicts { "MERGE_CONFLICT" } else { "CI_FAILURE" }.to_owned();
    Happened::QueueRejected { number: 7, head: Some("aaa".to_owned()), reason, conflicts }
}

fn labelled(label: &str) -> Happened {
    Happened::Labelled { on: on(), labels: vec![label.to_owned()] }
}

fn comment(text: &str, may_write: bool) -> Happened {
    Happened::Commented { number: 7, author: "eve".to_owned(), may_write, text: text.to_owned() }
}

fn told(happened: Happened, known: Option<&Known>) -> String {
    let event = ForgeEvent { repository: "acme/shop".to_owned(), sender: "ann".to_owned(), happened };
    match react(&event, known, "delivery d1", &Options { label: "lockstep".to_owned() }) {
        Reaction::Start { pipeline } => format!("start {}", pipeline.unwrap_or_default()),
        Reaction::Wake => "wake".to_owned(),
        Reaction::Restart { step, mark } => format!("restart at {step} as {}", mark.by()),
        Reaction::Rework { step, feedback, mark } => format!("{step} again as {}: {feedback:?}", mark.by()),
        Reaction::Renew { steps, head, mark } => {
            format!("renew {} for {head} as {}", steps.join(" "), mark.by())
        }
        Reaction::Card { title, body, .. } => format!("card {title:?}: {body}"),
        Reaction::Stop { reason } => format!("stop: {reason}"),
        Reaction::Merged => "merged".to_owned(),
        Reaction::Retry => "retry".to_owned(),
        Reaction::Approve => "approve".to_owned(),
        Reaction::Later(why) => format!("later: {why}"),
        Reaction::Nothing(why) => format!("nothing: {why}"),
    }
}

/// A table of what follows: a line for each case.
fn table<'a>(happened: &Happened, cases: impl IntoIterator<Item = (&'a str, Known)>) -> String {
    cases
        .into_iter()
        .map(|(name, known)| format!("{name}: {}\n", told(happened.clone(), Some(&known))))
        .collect()
}

#[test]
fn a_label_or_a_comment_of_who_may_write_starts_a_run() {
    let done = || Known { status: ItemStatus::Done, ..ready() };
    let mut fork = on();
    fork.head_branch = None;
    let mut closed = on();
    closed.is_open = false;
    let of = |on| Happened::Labelled { on, labels: vec!["lockstep".to_owned()] };
    let asks = || {
        with(live("land"), |run| {
            run.status = RunStatus::Blocked;
            run.steps[3].asks_approval = true;
        })
    };
    let lines = [
        told(labelled("lockstep"), None),
        told(labelled("Lockstep"), Some(&ready())),
        told(labelled("bug"), None),
        told(labelled("lockstep"), Some(&live("ci"))),
        told(labelled("lockstep"), Some(&done())),
        told(of(fork), None),
        told(of(closed), None),
        told(comment("/lockstep start Ours", true), None),
        told(comment("/lockstep start", false), None),
        told(comment("nice", true), None),
        told(comment("/lockstep merge", true), None),
        told(comment("/lockstep stop", true), Some(&live("ci"))),
        told(comment("/lockstep stop", true), Some(&ready())),
        told(comment("/lockstep retry", true), Some(&failed("ci", FailureClass::Agent))),
        told(comment("/lockstep retry", true), Some(&live("ci"))),
        told(comment("/lockstep approve", true), Some(&asks())),
        told(comment("/lockstep approve", false), Some(&asks())),
        told(comment("/lockstep approve", true), Some(&live("ci"))),
    ];
    expect![[r#"
        start 
        start 
        nothing: the label that starts a run is "lockstep"
        nothing: default-1 has the live run run-1
        nothing: default-1 is done
        nothing: its branch is in a fork, which nothing here works on
        nothing: the pull request is closed
        start Ours
        nothing: eve may not write to the repository
        nothing: it is no command
        nothing: /lockstep takes start [PIPELINE], stop, retry or approve
        stop: eve said so on the pull request
        nothing: no run is under way
        retry
        nothing: no run has failed
        approve
        nothing: eve may not write to the repository
        nothing: nothing waits for an approval
    "#]]
    .assert_eq(&lines.map(|line| line + "\n").concat());
}

#[test]
fn a_failed_check_wakes_its_gate_or_sends_back_within_the_budget_and_then_a_person_is_told() {
    let spent = || marked(ready(), MarkKind::Check, &["x", "y"]);
    let card = (
        "forge-needs-you".to_owned(),
        "See to it by hand, then retry or restart the run. It is about aaa.".to_owned(),
    );
    let cases = [
        ("before the gate", live("code")),
        ("at the gate", live("ci")),
        ("behind the gate", live("land")),
        ("behind the gate, merging", with(live("land"), |run| run.has_effect = true)),
        ("behind the gate, sent back for it", marked(live("land"), MarkKind::Check, &["aaa"])),
        ("awaits a merge", ready()),
        ("awaits a merge, one repair", marked(ready(), MarkKind::Check, &["x"])),
        ("awaits a merge, repaired for it", marked(ready(), MarkKind::Check, &["aaa"])),
        ("awaits a merge, budget spent", spent()),
        ("awaits a merge, budget spent, told", with(spent(), |run| run.cards.push(card))),
        ("awaits a merge, somebody pushed since", marked(spent(), MarkKind::Push, &["aaa"])),
        (
            "awaits a merge, taken up",
            with(ready(), |run| {
                run.marks = vec![Mark {
                    kind: MarkKind::Check,
                    head: "x".to_owned(),
                    from: "delivery d1".to_owned(),
                }];
            }),
        ),
        ("awaits a merge, no gate", with(ready(), |run| run.steps.truncate(1))),
        ("awaits a merge, no budget", with(ready(), |run| run.budgets.repairs = 0)),
        ("failed at the gate", failed("ci", FailureClass::GateExhausted)),
        ("failed elsewhere", failed("land", FailureClass::Agent)),
        ("stopped at the gate", failed("ci", FailureClass::Cancelled)),
        ("merged", Known { status: ItemStatus::Done, ..ready() }),
        ("no run", Known { run: None, ..ready() }),
    ];
    let other = [("another commit", ready()), ("head unknown", with(live("ci"), |run| run.head = None))];
    let passed = [("passed, at the gate", live("ci")), ("passed, awaits a merge", ready())];
    let lines = table(&check("aaa", true), cases)
        + &table(&check("bbb", true), other)
        + &table(&check("aaa", false), passed)
        + &told(check("aaa", true), None);
    expect![[r#"
        before the gate: wake
        at the gate: wake
        behind the gate: restart at ci as github check at aaa (delivery d1)
        behind the gate, merging: later: an effect of the run is under way, and may be what this tells of
        behind the gate, sent back for it: nothing: the run was sent back for this commit already
        awaits a merge: restart at ci as github check at aaa (delivery d1)
        awaits a merge, one repair: restart at ci as github check at aaa (delivery d1)
        awaits a merge, repaired for it: card "default-1: the check \"test\" failed again, though the run was sent back for this commit": See to it by hand, then retry or restart the run. It is about aaa.
        awaits a merge, budget spent: card "default-1: the check \"test\" failed, and 2 repairs were tried": See to it by hand, then retry or restart the run. It is about aaa.
        awaits a merge, budget spent, told: nothing: a person was told already
        awaits a merge, somebody pushed since: restart at ci as github check at aaa (delivery d1)
        awaits a merge, taken up: nothing: it was taken up before
        awaits a merge, no gate: card "default-1: the check \"test\" failed, and its pipeline has no gate to repair it": See to it by hand, then retry or restart the run. It is about aaa.
        awaits a merge, no budget: card "default-1: the check \"test\" failed, and 0 repairs were tried": See to it by hand, then retry or restart the run. It is about aaa.
        failed at the gate: restart at ci as github check at aaa (delivery d1)
        failed elsewhere: nothing: the run failed elsewhere: retry it when that is repaired
        stopped at the gate: nothing: the run failed elsewhere: retry it when that is repaired
        merged: nothing: default-1 is done
        no run: nothing: default-1 has no run
        another commit: nothing: it is of another commit than the one the run stands for
        head unknown: wake
        passed, at the gate: wake
        passed, awaits a merge: nothing: a check passed, and no run waits
        nothing: no item carries this change"#]].assert_eq(&lines);
}

#[test]
fn a_rejection_of_the_merge_queue_sends_back_to_the_gate_it_is_about() {
    let cases = || {
        [
            ("awaits a merge", ready()),
            ("at the resolver", live("land")),
            ("before the gates", live("code")),
            ("no conflicts gate", with(ready(), |run| drop(run.steps.remove(1)))),
            ("no gates", with(ready(), |run| run.steps.truncate(1))),
            ("budget spent", marked(ready(), MarkKind::Queue, &["x", "y"])),
            ("checks failed before", marked(ready(), MarkKind::Check, &["x", "y"])),
        ]
    };
    let lines =
        format!("conflicts\n{}checks\n{}", table(&rejected(true), cases()), table(&rejected(false), cases()));
    expect![[r#"
        conflicts
        awaits a merge: restart at merges as github merge-queue at aaa (delivery d1)
        at the resolver: restart at merges as github merge-queue at aaa (delivery d1)
        before the gates: wake
        no conflicts gate: restart at ci as github merge-queue at aaa (delivery d1)
        no gates: card "default-1: the merge queue rejected it (MERGE_CONFLICT), and its pipeline has no gate to repair it": See to it by hand, then retry or restart the run. It is about aaa.
        budget spent: card "default-1: the merge queue rejected it (MERGE_CONFLICT), and 2 repairs were tried": See to it by hand, then retry or restart the run. It is about aaa.
        checks failed before: restart at merges as github merge-queue at aaa (delivery d1)
        checks
        awaits a merge: restart at ci as github merge-queue at aaa (delivery d1)
        at the resolver: restart at ci as github merge-queue at aaa (delivery d1)
        before the gates: wake
        no conflicts gate: restart at ci as github merge-queue at aaa (delivery d1)
        no gates: card "default-1: the merge queue rejected it (CI_FAILURE), and its pipeline has no gate to repair it": See to it by hand, then retry or restart the run. It is about aaa.
        budget spent: card "default-1: the merge queue rejected it (CI_FAILURE), and 2 repairs were tried": See to it by hand, then retry or restart the run. It is about aaa.
        checks failed before: restart at ci as github merge-queue at aaa (delivery d1)
    "#]].assert_eq(&lines);
}

#[test]
fn requested_changes_go_to_the_producer_and_those_of_one_commit_are_one_round() {
    let first = |known| {
        with(known, |run| {
            run.marks =
                vec![Mark { kind: MarkKind::Review, head: "aaa".to_owned(), from: "review 79".to_owned() }];
            run.steps[0].review = Some("cid: rename it".to_owned());
        })
    };
    let cases = [
        ("at the gate", live("ci")),
        ("awaits a merge", ready()),
        ("failed", failed("land", FailureClass::Agent)),
        ("stopped", failed("land", FailureClass::Cancelled)),
        ("merging", with(live("land"), |run| run.has_effect = true)),
        ("another review of this commit", first(live("code"))),
        ("budget spent", marked(ready(), MarkKind::Review, &["x"])),
        ("no producer", with(live("ci"), |run| drop(run.steps.remove(0)))),
        (
            "taken up",
            with(ready(), |run| {
                run.marks =
                    vec![Mark { kind: MarkKind::Review, head: "x".to_owned(), from: "review 80".to_owned() }];
            }),
        ),
    ];
    let mut guest = review(80, ReviewVerdict::ChangesRequested);
    if let Happened::Reviewed { may_write, .. } = &mut guest {
        *may_write = false;
    }
    let lines = table(&review(80, ReviewVerdict::ChangesRequested), cases)
        + &table(&guest, [("a guest", ready())])
        + &table(
            &review(80, ReviewVerdict::Approved),
            [("approved", live("ci")), ("approved, ended", ready())],
        );
    expect![[r#"
        at the gate: code again as github review at aaa (review 80): "bob: tax is missing"
        awaits a merge: code again as github review at aaa (review 80): "bob: tax is missing"
        failed: code again as github review at aaa (review 80): "bob: tax is missing"
        stopped: nothing: a person stopped the run
        merging: later: an effect of the run is under way, and may be what this tells of
        another review of this commit: code again as github review at aaa (review 80): "cid: rename it\n\nbob: tax is missing"
        budget spent: card "default-1: bob requested changes, and 1 rounds were made": See to it by hand, then retry or restart the run. It is about review 80.
        no producer: card "default-1: bob requested changes, and its pipeline has no step to make them": See to it by hand, then retry or restart the run. It is about review 80.
        taken up: nothing: it was taken up before
        a guest: nothing: bob may not write to the repository
        approved: wake
        approved, ended: nothing: nothing waits for a review
    "#]].assert_eq(&lines);
}

#[test]
fn a_push_by_somebody_else_begins_again_what_was_bound_to_the_old_head() {
    let pushed = |known| {
        with(known, |run| {
            run.tip = Some("bbb".to_owned());
            run.tip_is_news = true;
        })
    };
    let own_job = with(live("ci"), |run| {
        run.tip = Some("bbb".to_owned());
        run.has_writer = true;
    });
    let cases = [
        ("its own", live("land")),
        ("a job of its own", own_job),
        ("a job of its own, and somebody", with(pushed(live("ci")), |run| run.has_writer = true)),
        ("while the producer works", pushed(live("code"))),
        ("at the gate", pushed(live("ci"))),
        ("at the resolver", pushed(live("land"))),
        ("merging", with(pushed(live("land")), |run| run.has_effect = true)),
        ("awaits a merge", pushed(ready())),
        ("failed", pushed(failed("ci", FailureClass::GateExhausted))),
        ("stopped", pushed(failed("ci", FailureClass::Cancelled))),
        ("not here", with(live("ci"), |run| run.tip = None)),
        ("merged", Known { status: ItemStatus::Done, ..pushed(ready()) }),
    ];
    let gone = Happened::Pushed { branch: "sum".to_owned(), head: None };
    let lines = table(&Happened::Synchronised { on: on() }, cases) + &table(&gone, [("deleted", live("ci"))]);
    expect![[r#"
        its own: nothing: it is the commit the run stands for
        a job of its own: nothing: a job of the run made it
        a job of its own, and somebody: renew merges ci for bbb as github push at bbb (delivery d1)
        while the producer works: renew code for bbb as github push at bbb (delivery d1)
        at the gate: renew merges ci for bbb as github push at bbb (delivery d1)
        at the resolver: renew merges ci land for bbb as github push at bbb (delivery d1)
        merging: later: an effect of the run is under way, and may be what this tells of
        awaits a merge: renew merges ci land for bbb as github push at bbb (delivery d1)
        failed: renew merges ci for bbb as github push at bbb (delivery d1)
        stopped: nothing: a person stopped the run
        not here: nothing: the branch is not here
        merged: nothing: default-1 is done
        deleted: nothing: the branch was deleted; the run tells when it misses it
    "#]]
    .assert_eq(&lines);
}

#[test]
fn a_pull_request_that_is_closed_or_merged_ends_the_run() {
    let closed = |merged| Happened::Closed { on: on(), merged };
    let cases = || {
        [
            ("live", live("ci")),
            ("merging", with(live("land"), |run| run.has_effect = true)),
            ("awaits a merge", ready()),
            ("done", Known { status: ItemStatus::Done, ..ready() }),
        ]
    };
    let lines =
        format!("merged\n{}closed\n{}", table(&closed(true), cases()), table(&closed(false), cases()));
    expect![[r#"
        merged
        live: merged
        merging: later: an effect of the run is under way, and may be what this tells of
        awaits a merge: merged
        done: nothing: default-1 is done
        closed
        live: stop: pull request #7 was closed by ann
        merging: stop: pull request #7 was closed by ann
        awaits a merge: nothing: no run is under way
        done: nothing: default-1 is done
    "#]]
    .assert_eq(&lines);
}
