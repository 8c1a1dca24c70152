use super::{Style, Tone, counted, duration, indented, line, short, status_tone};
use crate::context::{Context, quoted};
use lockstep_types::{
    NoticeState, Pinning, Question, QuestionKind, RunStatus, RunSummary, RunView, StepStatus, StepView,
    TimelineEntry, Timestamp, Waiting,
};

/// Longest title in a list.
const TITLE_MAX: usize = 44;

/// Lines of a proposal that are shown with a question; all of it is in `step show`.
const PROPOSAL_LINES: usize = 12;

/// A list of runs.
pub(crate) fn runs(style: &Style, runs: &[RunSummary], now: Timestamp) -> String {
    if runs.is_empty() {
        return "no runs\n".to_owned();
    }
    let rows: Vec<_> = runs
        .iter()
        .map(|run| {
            let steps = match run.is_errand {
                true => "errand".to_owned(),
                false => format!("{}/{}", run.steps_done, run.steps_total),
            };
            let changed = format!("{} ago", duration(now.ms_since(run.updated_at)));
            vec![
                (Tone::Strong, short(&run.id).to_owned()),
                (status_tone(run.status), run.status.word().to_owned()),
                (Tone::Plain, steps),
                (Tone::Plain, line(&run.title, TITLE_MAX)),
                (Tone::Plain, line(&run.change.head_branch, TITLE_MAX)),
                (Tone::Faint, changed),
            ]
        })
        .collect();
    style.table(&["RUN", "STATE", "STEPS", "TITLE", "BRANCH", "CHANGED"], &rows)
}

/// A run whole.
pub(crate) fn show(
    style: &Style,
    run: &RunView,
    timeline: &[TimelineEntry],
    context: &Context,
    now: Timestamp,
) -> String {
    let summary = &run.summary;
    let change = &summary.change;
    let mut text = format!(
        "{}  {}\n{}\n\n",
        style.paint(Tone::Strong, summary.id.as_str()),
        style.paint(status_tone(summary.status), summary.status.word()),
        style.paint(Tone::Plain, &line(&summary.title, usize::MAX)),
    );
    let commit =
        change.head_commit.as_deref().map(|commit| format!(" at {}", commit.get(..12).unwrap_or(commit)));
    let commit = commit.unwrap_or_default();
    let request = change.pull_request.as_ref().map(|request| request.url.clone());
    let ended = if summary.status.is_live() { now } else { summary.updated_at };
    let rows = [
        ("change", format!("{}{commit} into {}", change.head_branch, change.base_branch)),
        ("repository", change.repository.clone()),
        ("pull request", request.unwrap_or_default()),
        ("pipeline", summary.pipeline.clone()),
        ("components", pins(run)),
        ("item", summary.item.clone()),
        ("started", format!("{} by {}", style.moment(summary.created_at), run.initiator)),
        ("took", duration(ended.ms_since(summary.created_at))),
    ];
    for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        text.push_str(&format!(
            "{}  {}\n",
            style.cell(Tone::Faint, name, 12),
            style.paint(Tone::Plain, value)
        ));
    }
    text.push('\n');
    text.push_str(&steps(style, run, now));
    for fact in &run.facts {
        let value = line(fact.value.as_str(), 100);
        text.push_str(&format!("\n{} {} = {value}", style.paint(Tone::Faint, "fact"), line(&fact.name, 60)));
    }
    if !run.facts.is_empty() {
        text.push('\n');
    }
    for notice in run.notices.iter().filter(|notice| notice.state == NoticeState::Open) {
        text.push_str(&format!(
            "\n{}\n",
            style.paint(Tone::Attention, &format!("notice {}", line(&notice.title, 200)))
        ));
        text.push_str(&indented(&notice.body, "  "));
    }
    if !timeline.is_empty() {
        text.push('\n');
        timeline.iter().for_each(|entry| text.push_str(&(style.timeline_entry(entry, None) + "\n")));
    }
    if let Some(failure) = &summary.failure {
        let what = format!("{}: {}", failure.class, line(&failure.message, usize::MAX));
        text.push_str(&format!("\n{}\n", style.paint(Tone::Bad, &what)));
        text.push_str(&indented(failure.detail.as_deref().unwrap_or_default(), "  "));
    }
    if !summary.waiting.is_empty() {
        text.push('\n');
        summary.waiting.iter().for_each(|waiting| text.push_str(&waits(style, run, waiting, context, now)));
    }
    text
}

/// What is worth knowing of how its components were chosen; nothing where all is as they were when it started.
fn pins(run: &RunView) -> String {
    let by_step = (run.pin == Pinning::Step).then(|| "chosen when each step starts".to_owned());
    let repinned = run.repinned.iter().map(|(kind, digest)| format!("{kind} repinned to {}", digest.short()));
    by_step.into_iter().chain(repinned).collect::<Vec<_>>().join(", ")
}

fn steps(style: &Style, run: &RunView, now: Timestamp) -> String {
    let rows: Vec<_> = run
        .steps
        .iter()
        .map(|step| {
            let (tone, state) = step_state(run.summary.status, step);
            let took = took_ms(step, now).map(duration).unwrap_or_default();
            let attempt = if step.attempt > 1 { format!("#{}", step.attempt) } else { String::new() };
            vec![
                (Tone::Strong, line(&step.name, TITLE_MAX)),
                (Tone::Plain, line(&step.kind, TITLE_MAX)),
                (tone, state.to_owned()),
                (Tone::Plain, attempt),
                (Tone::Plain, took),
                (Tone::Plain, step.invocations.to_string()),
                (Tone::Faint, if step.is_open { "when it starts".to_owned() } else { step.digest.short() }),
            ]
        })
        .collect();
    style.table(&["STEP", "KIND", "STATE", "TRY", "TOOK", "CALLS", "COMPONENT"], &rows)
}

pub(super) fn step_state(status: RunStatus, step: &StepView) -> (Tone, &'static str) {
    match step.status {
        StepStatus::Working | StepStatus::WaitingDecision if !status.is_live() => (Tone::Bad, "cut short"),
        // What it asked was answered, and it is not parked any more.
        StepStatus::WaitingDecision if step.question.is_none() => (Tone::Plain, "working"),
        StepStatus::Done if step.skipped.is_some() => (Tone::Faint, "skipped"),
        StepStatus::Done => (Tone::Good, "done"),
        StepStatus::WaitingDecision => (Tone::Attention, "waits for an answer"),
        StepStatus::Working => (Tone::Plain, "working"),
        StepStatus::Pending => (Tone::Faint, "pending"),
    }
}

/// Milliseconds a step took, without those spent waiting for people.
pub(super) fn took_ms(step: &StepView, now: Timestamp) -> Option<u64> {
    let started = step.started_at?;
    Some(step.finished_at.unwrap_or(now).ms_since(started).saturating_sub(step.waited_ms))
}

fn waits(style: &Style, run: &RunView, waiting: &Waiting, context: &Context, now: Timestamp) -> String {
    let since = duration(now.ms_since(waiting.since));
    let step = if waiting.step.is_empty() { "the run" } else { &waiting.step };
    let head = format!("{} waits for {}", line(step, TITLE_MAX), waiting.on);
    let actions =
        run.steps.iter().find(|step| step.name == waiting.step).map(|step| acts(run, step, context));
    let actions = actions.unwrap_or_default();
    let who = if actions.is_empty() { waiting.act.as_str() } else { "a person" };
    let mut text = format!(
        "{} (since {}, {since})\n  {}\n  {} {}\n",
        style.paint(Tone::Attention, &head),
        style.moment(waiting.since),
        style.paint(Tone::Plain, &line(&waiting.reason, usize::MAX)),
        style.paint(Tone::Faint, "who can act:"),
        style.paint(Tone::Plain, &line(who, usize::MAX)),
    );
    actions.iter().for_each(|action| text.push_str(&format!("    {action}\n")));
    text
}

/// The commands that take the actions a parked step allows. Before those of a review comes what shows the findings.
fn acts(run: &RunView, step: &StepView, context: &Context) -> Vec<String> {
    let Some(question) = &step.question else { return Vec::new() };
    let (id, name) = (&run.summary.id, quoted(&line(&step.name, usize::MAX)));
    let actions = question.actions.iter().map(|action| {
        context.command(&format!("runs act {id} {} --step {name}", quoted(&line(action, usize::MAX))))
    });
    let workspace = run.summary.workspace.as_ref().filter(|_| question.kind == QuestionKind::Review);
    let show = format!("reviews show {}", quoted(&line(&run.summary.item, usize::MAX)));
    workspace.map(|id| context.command_in(Some(id), &show)).into_iter().chain(actions).collect()
}

/// What a run waits for, since when, and who can act.
pub(crate) fn why(style: &Style, view: &RunView, context: &Context, now: Timestamp) -> String {
    let run = &view.summary;
    let state = style.paint(status_tone(run.status), run.status.word());
    let mut text = format!("{}  {state}\n", style.paint(Tone::Strong, run.id.as_str()));
    if let Some(failure) = &run.failure {
        text.push_str(&format!("{}: {}\n", failure.class, line(&failure.message, usize::MAX)));
        text.push_str(&format!("  {}\n", failure.class.hint()));
    } else if run.waiting.is_empty() {
        let state = match run.status {
            RunStatus::Done => "it is done",
            RunStatus::Failed => "it failed",
            RunStatus::Running | RunStatus::Blocked | RunStatus::Paused => "the host is at work on it",
        };
        text.push_str(&format!("It waits for nothing: {state}.\n"));
    }
    run.waiting.iter().for_each(|waiting| text.push_str(&waits(style, view, waiting, context, now)));
    text
}

/// The last line about a run that was watched, and what to do next.
pub(crate) fn ending(style: &Style, run: &RunView, context: &Context, here: bool) -> String {
    let summary = &run.summary;
    let took = duration(summary.updated_at.ms_since(summary.created_at));
    let steps = format!("{} of {} steps", summary.steps_done, summary.steps_total);
    match summary.status {
        RunStatus::Done => style.paint(Tone::Good, &format!("done in {took}: {steps}")),
        RunStatus::Failed => {
            let failure = summary.failure.as_ref();
            let (class, message, hint) = failure.map_or(("unknown", "", ""), |failure| {
                (failure.class.word(), failure.message.as_str(), failure.class.hint())
            });
            let head = format!("failed after {took}, {steps}: {class}: {}", line(message, usize::MAX));
            let retry = context.command(&format!("runs retry {}", summary.id));
            let go_on = if here { format!("\n  then    {}", resume(run, context)) } else { String::new() };
            format!("{}\n  {hint}\n  retry   {retry}{go_on}", style.paint(Tone::Bad, &head))
        }
        RunStatus::Blocked | RunStatus::Paused => needs(style, run, context, here),
        RunStatus::Running => style.paint(Tone::Plain, &format!("running since {took}: {steps}")),
    }
}

fn resume(run: &RunView, context: &Context) -> String {
    context.command(&format!("run --resume {}", run.summary.id))
}

/// What a parked run needs, with the exact commands that give it.
fn needs(style: &Style, run: &RunView, context: &Context, here: bool) -> String {
    let id = &run.summary.id;
    let mut text = String::new();
    if run.summary.status == RunStatus::Paused {
        let (head, command) = match run.summary.waiting.iter().any(|waiting| waiting.on == "budget") {
            true => (
                "paused: the budget of the month is spent",
                context.command_in(run.summary.workspace.as_ref(), "settings set --monthly-limit AMOUNT"),
            ),
            false => ("paused by an operator", context.command(&format!("runs resume {id}"))),
        };
        text.push_str(&format!("{}\n  {command}\n", style.paint(Tone::Attention, head)));
    }
    for (step, question) in run.steps.iter().filter_map(|step| Some((step, step.question.as_ref()?))) {
        let head = format!("{} needs an answer ({})", line(&step.name, TITLE_MAX), question.id);
        let prompt = indented(&question.prompt, "  ");
        text.push_str(&format!("{}\n{prompt}", style.paint(Tone::Attention, &head)));
        if let Some(proposal) = &question.proposal {
            text.push_str(&excerpt(style, proposal));
        }
        for action in acts(run, step, context) {
            text.push_str(&format!("  {action}\n"));
        }
        // With actions it is not answered otherwise.
        for answer in if question.actions.is_empty() { answers(question) } else { Vec::new() } {
            text.push_str(&format!(
                "  {}\n",
                context.command(&format!("runs answer {id} {} {answer}", question.id))
            ));
        }
    }
    if text.is_empty() {
        text.push_str(&format!("{}\n", style.paint(Tone::Attention, "waits for a person")));
        text.push_str(&format!("  {}\n", context.command(&format!("why {id}"))));
    }
    if here {
        text.push_str(&format!("then go on with\n  {}\n", resume(run, context)));
    }
    text
}

fn excerpt(style: &Style, proposal: &str) -> String {
    let mut text = String::new();
    for line in proposal.lines().take(PROPOSAL_LINES) {
        text.push_str(&format!("  {} {}\n", style.paint(Tone::Faint, "|"), style.paint(Tone::Plain, line)));
    }
    let more = proposal.lines().count().saturating_sub(PROPOSAL_LINES);
    if more > 0 {
        text.push_str(&format!(
            "  {}\n",
            style.paint(Tone::Faint, &format!("| … {}", counted(more, "more line")))
        ));
    }
    text
}

/// The options of `runs answer` that answer a question.
fn answers(question: &Question) -> Vec<String> {
    if question.kind == QuestionKind::Approval {
        return vec![
            "--approve".to_owned(),
            "--request-changes 'WHAT'".to_owned(),
            "--reject 'WHY'".to_owned(),
        ];
    }
    if question.options.is_empty() {
        return vec!["--choose 'TEXT'".to_owned()];
    }
    question.options.iter().map(|option| format!("--choose {}", quoted(&line(option, usize::MAX)))).collect()
}
