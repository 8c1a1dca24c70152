use super::{board, read_text, run, with_host};
use crate::args::{ActArgs, AnswerArgs, ListArgs, RunsCommand};
use crate::context::Context;
use crate::exit::Exit;
use crate::follow;
use crate::host::Host;
use crate::wiring::Drive;
use crate::{data, ids, render};
use lockstep_ports::{RunAction, RunQuery};
use lockstep_types::{Answer, RunStatus, RunView, TimelineEntry};
use serde::Serialize;

/// Largest text that replaces a proposal.
const PROPOSAL_MAX: u64 = 512 * 1024;

/// How a command ends that watched a run to this state.
pub(super) fn exit_of(status: RunStatus) -> Exit {
    match status {
        RunStatus::Done | RunStatus::Running => Exit::Done,
        RunStatus::Failed => Exit::Failed,
        RunStatus::Blocked | RunStatus::Paused => Exit::Waiting,
    }
}

/// `lockstep runs …`
pub(super) async fn runs(context: &Context, command: RunsCommand) -> anyhow::Result<Exit> {
    match command {
        RunsCommand::List(args) => list(context, args).await,
        RunsCommand::Show { run, timeline } => show(context, &run.run, timeline).await,
        RunsCommand::Watch { run } => watch(context, run.as_deref()).await,
        RunsCommand::Answer(args) => {
            let action = answer(&args)?;
            act(context, &args.run.run, "answer", action).await
        }
        RunsCommand::Stop { run, reason } => act(context, &run.run, "stop", RunAction::Stop { reason }).await,
        RunsCommand::Retry(arg) => act(context, &arg.run, "retry", RunAction::Retry).await,
        RunsCommand::Restart { run, step, digest } => {
            act(context, &run.run, "restart", RunAction::Restart { step, digest }).await
        }
        RunsCommand::Repin { run, pins, reason } => {
            let pins = pins.into_iter().collect();
            act(context, &run.run, "repin", RunAction::Repin { pins, reason }).await
        }
        RunsCommand::Pause(arg) => act(context, &arg.run, "pause", RunAction::Pause).await,
        RunsCommand::Resume(arg) => act(context, &arg.run, "resume", RunAction::Resume).await,
        RunsCommand::Act(ActArgs { run, action, step, input }) => {
            let input = board::input(&input)?;
            act(context, &run.run, "act", RunAction::Act { step, action, input }).await
        }
        RunsCommand::Teardown(arg) => act(context, &arg.run, "teardown", RunAction::TearDown).await,
    }
}

async fn list(context: &Context, args: ListArgs) -> anyhow::Result<Exit> {
    let ListArgs { status, waits, item, pipeline, text, limit, before } = args;
    let status = status.map(|word| serde_json::from_value(word.into())).transpose()?;
    let runs = with_host(context, "runs list", async |service, _| {
        let before = match before {
            Some(text) => Some(ids::find(&*service, &text).await?),
            None => None,
        };
        let limit = Some(usize::from(limit));
        Ok(service.list(RunQuery { status, waits, item, pipeline, text, before, limit }).await?)
    });
    let page = runs.await?;
    context.term.show(&page.runs, |style, runs| render::runs(style, runs, render::now()))?;
    if let Some(next) = page.next.filter(|_| page.runs.len() < usize::from(limit)) {
        // There are more to look through than one search reads.
        context.term.note(&format!("looked no further: the same with --before {next} goes on"));
    }
    Ok(Exit::Done)
}

/// What `runs show` writes as JSON.
#[derive(Serialize)]
struct RunPage {
    #[serde(flatten)]
    run: RunView,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeline: Option<Vec<TimelineEntry>>,
}

async fn show(context: &Context, run: &str, with_timeline: bool) -> anyhow::Result<Exit> {
    let page = with_host(context, "runs show", async |service, _| {
        let id = ids::find(&*service, run).await?;
        let timeline = if with_timeline { Some(service.timeline(&id, 0).await?) } else { None };
        Ok(RunPage { run: service.get(&id).await?, timeline })
    });
    context.term.show(&page.await?, |style, page| {
        let timeline = page.timeline.as_deref().unwrap_or_default();
        render::show(style, &page.run, timeline, context, render::now())
    })?;
    Ok(Exit::Done)
}

/// `lockstep why`
pub(super) async fn why(context: &Context, run: &str) -> anyhow::Result<Exit> {
    let view = with_host(context, "why", async |service, _| {
        let id = ids::find(&*service, run).await?;
        Ok(service.get(&id).await?)
    });
    let view = view.await?;
    context.term.show(&view.summary, |style, _| render::why(style, &view, context, render::now()))?;
    Ok(Exit::Done)
}

async fn watch(context: &Context, run: Option<&str>) -> anyhow::Result<Exit> {
    // Without a server nothing happens that could be watched, unless this process lets the runs go on.
    let host = Host::open(context, "runs watch", Drive::Runs).await?;
    let service = host.service();
    let result = async {
        if let Some(run) = run {
            let id = ids::find(&*service, run).await?;
            return run::watch_existing(context, &*service, &id, host.server().is_none()).await;
        }
        let interrupted = run::interrupted()?;
        tokio::select! {
            ended = follow::all(&*service, &context.term) => ended.map(|()| Exit::Done),
            () = interrupted => Ok(Exit::Interrupted),
        }
    };
    let result = result.await;
    host.close().await;
    result
}

fn answer(args: &AnswerArgs) -> anyhow::Result<RunAction> {
    let given = &args.answer;
    let proposal = args.proposal.as_deref().map(|file| read_text(file, PROPOSAL_MAX)).transpose()?;
    let answer = match given {
        _ if given.approve => Answer::Approve { proposal },
        _ if given.request_changes.is_some() => Answer::RequestChanges {
            feedback: given.request_changes.clone().unwrap_or_default(),
            comments: Vec::new(),
        },
        _ if given.reject.is_some() => Answer::Reject { reason: given.reject.clone().unwrap_or_default() },
        // Clap accepts exactly one of the four.
        _ => Answer::Choose {
            choice: given.choose.clone().unwrap_or_default(),
            text: args.text.clone(),
            comments: Vec::new(),
        },
    };
    Ok(RunAction::Answer { question: args.question, answer, token: Some(data::random_text()?) })
}

async fn act(context: &Context, run: &str, name: &str, action: RunAction) -> anyhow::Result<Exit> {
    let (summary, is_here) = with_host(context, &format!("runs {name}"), async |service, host| {
        let id = ids::find(&*service, run).await?;
        Ok((service.act(&id, action, &context.by).await?, host.server().is_none()))
    })
    .await?;
    if context.term.json {
        context.term.document(&summary)?;
        return Ok(Exit::Done);
    }
    context.term.out(&format!("{name}: {} is {} now", summary.id, summary.status.word()))?;
    if is_here && summary.status == RunStatus::Running {
        let resume = context.command(&format!("run --resume {}", summary.id));
        context.term.out(&format!("it goes on with `{resume}`, or when a server opens the folder"))?;
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::answer;
    use crate::args::{Cli, Command, RunsCommand};
    use clap::Parser;
    use expect_test::expect;
    use lockstep_ports::RunAction;

    fn given(line: &str) -> String {
        let cli = Cli::try_parse_from(line.split(' ')).map_err(|error| error.kind());
        let Ok(Cli { command: Command::Runs(RunsCommand::Answer(args)), .. }) = cli else {
            return format!("{line}\n    refused\n");
        };
        match answer(&args) {
            Ok(RunAction::Answer { question, answer, token: Some(_) }) => {
                format!("{line}\n    {question:?} {answer:?}\n")
            }
            other => format!("{line}\n    {other:?}\n"),
        }
    }

    #[test]
    fn options_become_one_answer() {
        let lines = [
            "lockstep runs answer r --approve",
            "lockstep runs answer r q2 --choose merge --text now",
            "lockstep runs answer r 2 --request-changes shorter",
            "lockstep runs answer r --reject no",
            "lockstep runs answer r",
            "lockstep runs answer r --approve --reject no",
            "lockstep runs answer r --reject no --text x",
            "lockstep runs answer r second --approve",
        ];
        expect![[r#"
            lockstep runs answer r --approve
                None Approve { proposal: None }
            lockstep runs answer r q2 --choose merge --text now
                Some(QuestionId(2)) Choose { choice: "merge", text: Some("now"), comments: [] }
            lockstep runs answer r 2 --request-changes shorter
                Some(QuestionId(2)) RequestChanges { feedback: "shorter", comments: [] }
            lockstep runs answer r --reject no
                None Reject { reason: "no" }
            lockstep runs answer r
                refused
            lockstep runs answer r --approve --reject no
                refused
            lockstep runs answer r --reject no --text x
                refused
            lockstep runs answer r second --approve
                refused
        "#]]
        .assert_eq(&lines.map(given).concat());
    }
}
