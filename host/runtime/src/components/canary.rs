//! Candidates that some runs of a kind get before all do.

use super::guard::{Candidate, Found, States};
use super::{Answer, Deed, by};
use crate::runtime::Runtime;
use crate::service::journal;
use lockstep_ports::{
    Activated, Actor, CanaryBegun, CanaryReport, CanaryRequest, CanaryRun, ROWS_PAGE_MAX, RegistryChange,
    RunCounts, ServiceError,
};
use lockstep_types::{AuditAction, Canary, CanaryTo, RunStatus, RunSummary};

/// Runs that are looked at to see how a canary does, the newest first.
const RUNS_LOOKED_AT_MAX: usize = 20_000;
/// Runs on the candidate that are told one by one.
const RUNS_SHOWN_MAX: usize = 500;
/// Items of one canary.
const ITEMS_MAX: usize = 100;
/// Characters of an item.
const ITEM_CHARS_MAX: usize = 1000;

impl Runtime {
    pub(super) async fn canary_begins(&self, kind: String, request: CanaryRequest) -> Answer<CanaryBegun> {
        let to = who_gets_it(&request)?;
        let CanaryRequest { digest, gates, by: who, reason, .. } = request;
        let _alone = self.shared.registry.lock().await;
        let info = self.find_component(&digest).await?;
        let registry = self.registry().await?;
        let short = info.digest.short();
        let Some(active) = registry.active_of(&kind) else {
            return Err(ServiceError::Conflict(format!(
                "kind {kind} has no active component beside which a canary could run: use \
                 `lockstep component activate {kind} {short}`"
            )));
        };
        if active.digest == info.digest {
            return Err(ServiceError::Conflict(format!(
                "component {short} is active for kind {kind} already"
            )));
        }
        let grant = registry.grant(&kind).cloned().unwrap_or_default();
        let candidate = Candidate {
            info: &info,
            kind: &kind,
            grant: &grant,
            gates: &gates,
            // Only runs that start get it.
            states: States::Ignore,
            command: "canary",
            options: options(&to),
        };
        let Found { warnings, backtest } = self.guard(&candidate, &registry).await?;
        let actor = Actor { by: who, reason };
        let canary = Canary {
            kind: kind.clone(),
            digest: info.digest,
            to,
            at: self.shared.outside.clock.now(),
            by: by(&actor),
            reason: actor.reason.clone().unwrap_or_default(),
        };
        let passed =
            backtest.as_ref().map_or_else(String::new, |report| format!(", backtest: {}", report.in_words()));
        let detail = format!("{short} {} for {}{passed}", info.descriptor.version, shown(&canary.to));
        let deed = Deed { action: AuditAction::Canary, subject: kind, detail };
        self.alter(vec![RegistryChange::Canary(canary.clone())], deed, actor).await?;
        Ok(CanaryBegun { canary, warnings, backtest })
    }

    /// Moves a kind's pointer to its candidate.
    pub(super) async fn promote_candidate(&self, kind: String, actor: Actor) -> Answer<Activated> {
        let _alone = self.shared.registry.lock().await;
        let registry = self.registry().await?;
        let canary = registry.canary_of(&kind).ok_or_else(|| no_canary(&kind))?;
        let info = self.find_component(&canary.digest.to_string()).await?;
        self.repoint(kind, &info, States::Refuse, AuditAction::Promote, &registry, actor).await
    }

    /// How the runs of a canary do beside the others, which started in the same time.
    pub(super) async fn canary_report(&self, kind: &str) -> Answer<CanaryReport> {
        let registry = self.registry().await?;
        let canary = registry.canary_of(kind).cloned().ok_or_else(|| no_canary(kind))?;
        let (mut candidate, mut others) = (RunCounts::default(), RunCounts::default());
        let mut runs = Vec::new();
        let mut before = None;
        let mut looked = 0;
        while looked < RUNS_LOOKED_AT_MAX {
            let rows = self.shared.outside.journal.rows(before.as_ref(), ROWS_PAGE_MAX).await;
            let rows = rows.map_err(|error| journal(&error))?;
            looked += rows.len();
            before = rows.last().map(|row| row.summary.id.clone());
            let is_last = rows.len() < ROWS_PAGE_MAX
                || rows.last().is_some_and(|row| row.summary.created_at < canary.at);
            for RunSummary { id, item, status, created_at, .. } in rows.into_iter().map(|row| row.summary) {
                let spec = self.shared.spec(&id).await.map_err(|error| journal(&error))?;
                let pin = spec.as_ref().and_then(|spec| spec.pins.get(kind));
                let Some(pin) = pin.filter(|_| created_at >= canary.at) else { continue };
                if pin.is_canary && pin.digest == canary.digest {
                    count(&mut candidate, status);
                    if runs.len() < RUNS_SHOWN_MAX {
                        runs.push(CanaryRun { run: id, item, status, created_at });
                    }
                } else {
                    count(&mut others, status);
                }
            }
            if is_last {
                break;
            }
        }
        Ok(CanaryReport { canary, candidate, others, runs })
    }
}

fn who_gets_it(request: &CanaryRequest) -> Answer<CanaryTo> {
    let invalid = |text: String| Err(ServiceError::Invalid(text));
    match (request.share, &request.items[..]) {
        (Some(share @ 1..=100), []) => Ok(CanaryTo::Share(share)),
        (Some(share), []) => invalid(format!("a share of {share}% is not 1 to 100")),
        (None, []) => invalid("say who gets the candidate: --share PERCENT or --item ITEM".to_owned()),
        (None, items) if items.len() > ITEMS_MAX => {
            invalid(format!("{} items are more than {ITEMS_MAX}: use --share PERCENT", items.len()))
        }
        (None, items) => match items.iter().find(|item| item.chars().count() > ITEM_CHARS_MAX) {
            Some(_) => invalid(format!("an item has more than {ITEM_CHARS_MAX} characters")),
            None => Ok(CanaryTo::Items(items.to_vec())),
        },
        (Some(_), _) => invalid("use either --share or --item".to_owned()),
    }
}

fn shown(to: &CanaryTo) -> String {
    match to {
        CanaryTo::Share(percent) => format!("{percent}% of runs"),
        CanaryTo::Items(items) => format!("runs of {}", items.join(", ")),
    }
}

/// Who gets it, as options of the command.
fn options(to: &CanaryTo) -> String {
    match to {
        CanaryTo::Share(percent) => format!(" --share {percent}%"),
        CanaryTo::Items(items) => items.iter().map(|item| format!(" --item {item}")).collect(),
    }
}

fn count(counts: &mut RunCounts, status: RunStatus) {
    counts.runs += 1;
    match status {
        RunStatus::Done => counts.done += 1,
        RunStatus::Failed => counts.failed += 1,
        RunStatus::Running | RunStatus::Blocked | RunStatus::Paused => counts.live += 1,
    }
}

fn no_canary(kind: &str) -> ServiceError {
    ServiceError::NotFound(format!(
        "kind {kind} has no canary: begin one with `lockstep component canary {kind} DIGEST --share 10%`"
    ))
}
