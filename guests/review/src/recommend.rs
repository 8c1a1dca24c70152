//! Replies a model recommends (SPEC RV-21).

use crate::act::Input;
use crate::row::{Finding, FindingStatus, Recommendation, RecommendationStatus, Row};
use crate::{Config, Gate, State, Work, cycle, jobs};
use lockstep_sdk::text::{at_most, count};
use lockstep_sdk::{Call, JobSettled, Refusal, Transition, read_object};
use serde::Deserialize;

/// Characters of a recommended reply: as many as a person's reply may have (SPEC section 30).
const MAX_REPLY_CHARS: usize = 4_000;

/// The findings are marked before the model is asked. Whoever wants another recommendation says why.
pub(crate) fn request(
    gate: &Gate,
    call: &Call<Config>,
    mut row: Row,
    input: &Input,
) -> Result<Transition<State>, Refusal> {
    let note = input.note.as_deref().filter(|note| !note.trim().is_empty()).map(str::to_owned);
    let places = match (&input.items, &input.item) {
        (Some(items), _) => items.iter().map(|item| item.place(&row)).collect::<Result<Vec<_>, _>>()?,
        (None, Some(item)) => vec![item.place(&row)?],
        (None, None) => (0..row.findings.len()).collect(),
    };
    let mut requested = Vec::new();
    for place in places {
        let finding = &mut row.findings[place];
        if finding.status == FindingStatus::Dismissed {
            continue;
        }
        let again = row.recommendations.iter().any(|known| known.source_finding == finding.id);
        if again && note.is_none() {
            let why = format!("finding {place} has a recommendation; say in `note` what is to be different");
            return Err(Refusal::invalid(why));
        }
        finding.status = FindingStatus::RecommendRequested;
        finding.updated_at = call.run.now;
        requested.push(finding.id.clone());
    }
    if requested.is_empty() {
        return Err(Refusal::invalid("there is no finding to recommend a reply to"));
    }
    let job = jobs::recommend(gate, call, &row, &requested, note.as_deref());
    let said = format!("recommendations are asked for, for {}", count(requested.len(), "finding"));
    let state = State { work: Some(Work::Recommendation), requested, note, ..State::default() };
    let status = row.status;
    Ok(Transition::new(state, job).note(said).document(row.keep(gate, status, call.run.now)))
}

#[derive(Deserialize)]
struct Reply {
    recommendations: Vec<Recommended>,
}

/// One recommendation as a model gives it: for the finding of this id, or this place among those asked about.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recommended {
    #[serde(default)]
    finding: Option<String>,
    recommended_text: String,
    #[serde(default)]
    grounded_in_fragment: Option<String>,
}

fn read(job: JobSettled) -> Result<Vec<Recommended>, String> {
    let result = job.result().map_err(|failure| failure.message)?;
    let text = result.report.unwrap_or(result.output);
    let json = match (text.find('{'), text.rfind('}')) {
        (Some(start), Some(end)) if start < end => &text[start..=end],
        _ => return Err("there is no JSON object in the recommendation".to_owned()),
    };
    read_object::<Reply>(json).map(|reply| reply.recommendations)
}

/// Whatever came of it, the person goes on with the findings; those without a recommendation are open again.
pub(crate) fn settled(
    gate: &Gate,
    call: &Call<Config>,
    mut state: State,
    mut row: Row,
    job: JobSettled,
) -> Transition<State> {
    let requested = std::mem::take(&mut state.requested);
    let note = state.note.take();
    let (recommended, failure) = match read(job) {
        Ok(recommended) => (recommended, None),
        Err(why) => (Vec::new(), Some(why)),
    };
    for (index, recommended) in recommended.into_iter().enumerate() {
        let id = recommended.finding.or_else(|| requested.get(index).cloned());
        let Some(id) = id.filter(|id| requested.contains(id)) else { continue };
        row.recommendations.retain(|known| known.source_finding != id);
        row.recommendations.push(Recommendation {
            source_finding: id,
            recommended_text: at_most(recommended.recommended_text.trim(), MAX_REPLY_CHARS),
            status: RecommendationStatus::Ready,
            note: note.clone(),
            grounded_in_fragment: recommended.grounded_in_fragment,
        });
    }
    let Row { findings, recommendations, .. } = &mut row;
    let has_one = |finding: &Finding| {
        let ready = recommendations.iter().filter(|known| known.status == RecommendationStatus::Ready);
        ready.into_iter().any(|known| known.source_finding == finding.id)
    };
    for finding in findings.iter_mut().filter(|finding| requested.contains(&finding.id)) {
        if !has_one(finding) {
            let is_open = finding.reply.as_ref().is_none_or(|reply| reply.trim().is_empty());
            finding.status = if is_open { FindingStatus::Open } else { FindingStatus::Answered };
        }
        finding.updated_at = call.run.now;
    }
    let status = row.status;
    let document = row.keep(gate, status, call.run.now);
    let said = match failure {
        Some(why) => format!("nothing is recommended: {why}"),
        None => format!("{} to look at", count(row.recommendations.len(), "recommendation")),
    };
    cycle::park(call, state, &row, vec![document]).note(said)
}

/// An accepted one becomes the reply; after a rejected one the finding is open again.
pub(crate) fn decide(row: &mut Row, place: usize, accept: bool, now: u64) -> Result<(), Refusal> {
    let Row { findings, recommendations, .. } = row;
    let finding = &mut findings[place];
    let known = recommendations.iter_mut().find(|known| known.source_finding == finding.id);
    let Some(known) = known.filter(|known| known.status == RecommendationStatus::Ready) else {
        return Err(Refusal::conflict(format!("finding {place} has no recommendation to decide on")));
    };
    if accept {
        known.status = RecommendationStatus::Accepted;
        finding.reply = Some(known.recommended_text.clone());
        finding.status = FindingStatus::Answered;
    } else {
        known.status = RecommendationStatus::Rejected;
        finding.status = FindingStatus::Open;
    }
    finding.updated_at = now;
    Ok(())
}
