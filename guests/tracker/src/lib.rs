//! Step kind `tracker`: files a ticket with what an analysis found (SPEC section 13).
//!
//! It never fails the run: a ticket that was not filed is its output.

use lockstep_sdk::text::at_most;
use lockstep_sdk::{
    Call, Completion, Descriptor, Effect, EffectOutcome, EffectRequest, Event, Host, Step, StepError,
    Transition, json_text,
};
use serde::{Deserialize, Serialize};

/// Role whose output is the body of the ticket (SPEC TR-1).
const ANALYSIS: &str = "analysis";

const DEFAULT_PREFIX: &str = "Tech debt";

/// Characters of a ticket's body: as many as the forges take.
const MAX_BODY_CHARS: usize = 60_000;

struct Tracker;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    title_prefix: Option<String>,
}

#[derive(Serialize)]
struct Ticket {
    title: String,
    body: String,
}

/// What a tracker tells of a ticket.
#[derive(Deserialize)]
struct Filed {
    #[serde(default, alias = "externalId")]
    external_id: Option<String>,
    #[serde(default)]
    url: Option<String>,
}

impl Step for Tracker {
    type Config = Config;
    type State = ();

    fn descriptor() -> Descriptor {
        let summary = "Files a ticket with what an analysis found.";
        Descriptor::new("tracker", env!("CARGO_PKG_VERSION"), summary)
            .config_schema(include_str!("config.schema.json"))
            .effects(["open-ticket"])
    }

    fn advance(
        call: &Call<Config>,
        (): (),
        event: Event,
        _host: &impl Host,
    ) -> Result<Transition<()>, StepError> {
        match event {
            Event::Started(_) => Ok(file(call)),
            Event::EffectSettled(outcome) => Ok(filed(outcome)),
            Event::Due | Event::JobSettled(_) | Event::Answered(_) | Event::Acted(_) => {
                Err(StepError::unexpected(&event, "a ticket is being filed"))
            }
        }
    }
}

fn file(call: &Call<Config>) -> Transition<()> {
    let run = &call.run;
    let prefix = call.config.title_prefix.as_deref().unwrap_or(DEFAULT_PREFIX);
    let described = Some(run.description.as_str()).filter(|text| !text.trim().is_empty());
    let body = run.latest_output(ANALYSIS).or(described).unwrap_or("Nothing more is known about it.");
    let title = if prefix.is_empty() { run.title.clone() } else { format!("{prefix}: {}", run.title) };
    let ticket = Ticket { title, body: at_most(body, MAX_BODY_CHARS) };
    let proposal = format!("{}\n\n{}", ticket.title, ticket.body);
    let request = EffectRequest::new(Effect::OpenTicket(json_text(&ticket))).proposal(proposal);
    Transition::new((), request).note(format!("a ticket is filed: {}", ticket.title))
}

fn filed(outcome: EffectOutcome) -> Transition<()> {
    let output = match outcome {
        EffectOutcome::Done(json) => match serde_json::from_str::<Option<Filed>>(&json) {
            Ok(None) => "skipped: no tracker is configured".to_owned(),
            Ok(Some(Filed { external_id, url })) => {
                let parts = [external_id, url].into_iter().flatten().collect::<Vec<_>>();
                format!("the ticket is filed: {}", parts.join(", "))
            }
            Err(_) => "the ticket is filed".to_owned(),
        },
        EffectOutcome::NotConfigured(_) => "skipped: no tracker is wired".to_owned(),
        EffectOutcome::Refused(why) | EffectOutcome::Failed(why) => {
            format!("the ticket could not be filed: {why}")
        }
    };
    Transition::new((), Completion::new().output(&output)).note(output)
}

lockstep_sdk::export_step!(Tracker);

#[cfg(test)]
mod tests;
