use lockstep_ports::{Happening, Message};
use lockstep_types::{NoticeState, RunSummary};
use serde_json::{Value, json};

/// A message for programs.
pub(super) fn message(delivery: &Message, origin: &str) -> Value {
    let run = match &delivery.summary {
        Some(run) => json!({
            "id": run.id,
            "item": run.item,
            "workspace": run.workspace,
            "title": run.title,
            "pipeline": run.pipeline,
            "status": run.status,
            "repository": run.change.repository,
            "branch": run.change.head_branch,
            "pull_request": run.change.pull_request,
            "waiting": run.waiting,
            "failure": run.failure,
            "notices": run.open_notices,
        }),
        None => json!({ "id": delivery.run }),
    };
    json!({
        "id": delivery.id,
        "type": format!("run.{}", delivery.what.word()),
        "timestamp": delivery.at.to_string(),
        "data": { "text": headline(delivery), "step": delivery.step, "url": link(delivery, origin), "run": run },
    })
}

/// Where people look at the run.
pub(super) fn link(delivery: &Message, origin: &str) -> String {
    format!("{origin}/runs/{}", delivery.run)
}

/// One line that says what happened to what.
pub(super) fn headline(delivery: &Message) -> String {
    let title = delivery.summary.as_ref().map_or(delivery.run.as_str(), |run| run.title.as_str());
    let what = match delivery.what {
        Happening::Started => "has begun",
        Happening::Blocked => "waits for a person",
        Happening::Paused => "is held",
        Happening::Done => "is done",
        Happening::Failed => "failed",
        Happening::Notice => "wants somebody",
    };
    format!("{title} {what}")
}

/// More about it, one line for each thing a person would ask next.
pub(super) fn details(delivery: &Message) -> Vec<String> {
    let step = delivery.step.as_ref().map(|step| format!("{step}: ")).unwrap_or_default();
    let said = format!("{step}{}", delivery.text);
    let Some(run) = &delivery.summary else { return vec![said] };
    match delivery.what {
        Happening::Blocked => blocked(run),
        Happening::Failed => {
            let hint = run.failure.as_ref().map(|failure| failure.class.hint().to_owned());
            std::iter::once(said).chain(hint).collect()
        }
        Happening::Notice => {
            let open = run.open_notices.iter().rev();
            let notice = open.clone().find(|notice| {
                notice.state == NoticeState::Open && delivery.text.ends_with(notice.title.as_str())
            });
            let body = notice.map(|notice| notice.body.clone()).filter(|body| !body.is_empty());
            std::iter::once(said).chain(body).collect()
        }
        Happening::Done | Happening::Started | Happening::Paused => vec![said],
    }
}

fn blocked(run: &RunSummary) -> Vec<String> {
    let line =
        |waiting: &lockstep_types::Waiting| format!("{}: {} ({})", waiting.step, waiting.reason, waiting.act);
    run.waiting.iter().map(line).collect()
}
