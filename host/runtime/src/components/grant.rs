//! What a kind may do.

use super::guard::{asked_for, beyond, flags, is_empty};
use super::{Answer, Deed, by, store};
use crate::runtime::Runtime;
use lockstep_ports::{Actor, GrantRequest, KindView, RegistryChange, ServiceError};
use lockstep_types::{AuditAction, Digest, Grant, KindGrant, Registry};

/// Effects a component may ask for, by the names of the contract.
const EFFECTS: [&str; 5] = ["merge", "update-branch", "open-ticket", "provision", "annotate-incident"];
/// Bytes of a name: as much as a component may use for one.
const NAME_BYTES_MAX: usize = 128;
/// Names of one sort in a grant; a component may ask for a few tens.
const NAMES_MAX: usize = 64;

impl Runtime {
    pub(super) async fn change_grant(&self, kind: String, request: GrantRequest) -> Answer<KindView> {
        let GrantRequest { grant: wanted, revoke, force, by: who, reason } = request;
        if is_empty(&wanted) {
            return self.kind_view(&kind).await;
        }
        refuse_names(&kind, &wanted)?;
        let _alone = self.shared.registry.lock().await;
        let registry = self.registry().await?;
        let before = registry.grant(&kind).cloned().unwrap_or_default();
        let grant = if revoke {
            let unknown = beyond(&wanted, &before);
            if !is_empty(&unknown) {
                return Err(ServiceError::Conflict(format!(
                    "kind {kind} is not granted {}: see `lockstep component grant {kind}`",
                    flags(&unknown, "")
                )));
            }
            let grant = beyond(&before, &wanted);
            if !force {
                self.refuse_needed(&kind, &wanted, &registry).await?;
            }
            grant
        } else {
            joined(before, &wanted)
        };
        refuse_too_many(&kind, &grant)?;
        let actor = Actor { by: who, reason };
        let action = if revoke { AuditAction::Revoke } else { AuditAction::Grant };
        let deed = Deed { action, subject: kind.clone(), detail: flags(&wanted, "") };
        let (at, by) = (self.shared.outside.clock.now(), by(&actor));
        let row = KindGrant { kind: kind.clone(), grant, at, by };
        self.alter(vec![RegistryChange::Grant(row)], deed, actor).await?;
        self.kind_view(&kind).await
    }

    /// Refuses to take away what a component in use asks for.
    async fn refuse_needed(&self, kind: &str, taken: &Grant, registry: &Registry) -> Answer<()> {
        let active = registry.active_of(kind).map(|active| ("active component", active.digest));
        let canary = registry.canary_of(kind).map(|canary| ("canary", canary.digest));
        for (what, digest) in active.into_iter().chain(canary) {
            let Some(needed) = self.needed(&digest, taken).await? else { continue };
            return Err(ServiceError::Conflict(format!(
                "the {what} {} of kind {kind} asks for {}: use another component first, or let its runs fail with \
                 `lockstep component grant {kind} {} --revoke --force`",
                digest.short(),
                flags(&needed, ""),
                flags(taken, "--")
            )));
        }
        Ok(())
    }

    /// What a component asks for of what is taken away.
    async fn needed(&self, digest: &Digest, taken: &Grant) -> Answer<Option<Grant>> {
        let info = self.shared.outside.components.info(digest).await.map_err(store)?;
        let asked = info.map(|info| asked_for(&info)).unwrap_or_default();
        // What is asked for, without what is not taken away.
        let needed = beyond(&asked, &beyond(&asked, taken));
        Ok(Some(needed).filter(|needed| !is_empty(needed)))
    }
}

/// Refuses names that no component could ask for: they would be granted for ever, and a mistake not be noticed.
fn refuse_names(kind: &str, grant: &Grant) -> Answer<()> {
    if !is_name(kind) {
        return Err(ServiceError::Invalid(format!("kind {kind:?} is not a name such as `ci-gate`")));
    }
    if let Some(job) = grant.jobs.iter().find(|job| !is_name(&job.replace("{role}", "role"))) {
        return Err(ServiceError::Invalid(format!(
            "job kind {job:?} is not a name such as `test` or `review-{{role}}`"
        )));
    }
    if let Some(effect) = grant.effects.iter().find(|effect| !EFFECTS.contains(&effect.as_str())) {
        let known = EFFECTS.join(", ");
        return Err(ServiceError::Invalid(format!("there is no effect {effect:?}: use one of {known}")));
    }
    let is_odd = |name: &&String| {
        name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(|b| b.is_ascii_graphic())
    };
    match grant.imports.iter().find(is_odd) {
        Some(import) => {
            Err(ServiceError::Invalid(format!("import {import:?} is not an interface such as `checks`")))
        }
        None => Ok(()),
    }
}

fn refuse_too_many(kind: &str, grant: &Grant) -> Answer<()> {
    if [&grant.imports, &grant.jobs, &grant.effects].iter().any(|names| names.len() > NAMES_MAX) {
        return Err(ServiceError::Invalid(format!(
            "kind {kind} would be granted more than {NAMES_MAX} of a sort: take away what it does not need"
        )));
    }
    Ok(())
}

fn is_name(name: &str) -> bool {
    let word =
        |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    name.len() <= NAME_BYTES_MAX
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.split('-').all(word)
}

/// Two grants together.
fn joined(mut grant: Grant, more: &Grant) -> Grant {
    let add = |names: &mut Vec<String>, more: &[String]| {
        for name in more {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
    };
    add(&mut grant.imports, &more.imports);
    add(&mut grant.jobs, &more.jobs);
    add(&mut grant.effects, &more.effects);
    grant
}
