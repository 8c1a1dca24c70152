//! Moving a kind's pointer, and moving it back.

use super::guard::{self, Candidate, Found, States};
use super::{Answer, Deed, by, store};
use crate::runtime::Runtime;
use lockstep_ports::{
    ActivateRequest, Activated, Actor, BacktestReport, Gates, RegistryChange, RolledBack, ServiceError,
};
use lockstep_types::{Activation, AuditAction, ComponentInfo, Digest, Grant, KindGrant, Registry};

impl Runtime {
    /// Moves a kind's pointer, guarded.
    pub(super) async fn move_pointer(&self, request: ActivateRequest) -> Answer<Activated> {
        let ActivateRequest { kind, digest, grant, skip_migration, gates, by, reason } = request;
        let _alone = self.shared.registry.lock().await;
        let info = self.find_component(&digest).await?;
        let registry = self.registry().await?;
        let before = registry.grant(&kind).cloned().unwrap_or_default();
        if let Some(wider) = &grant {
            self.refuse_dirs(&kind, wider).await?;
        }
        let added = guard::beyond(grant.as_ref().unwrap_or(&before), &before);
        let mut options = match guard::flags(&added, "--grant-") {
            flags if flags.is_empty() => flags,
            flags => format!(" {flags}"),
        };
        if skip_migration {
            options.push_str(" --skip-migration");
        }
        let grant = grant.unwrap_or(before);
        let states = if skip_migration { States::Ignore } else { States::Refuse };
        let candidate = Candidate {
            info: &info,
            kind: &kind,
            grant: &grant,
            gates: &gates,
            states,
            command: "activate",
            options,
        };
        let Found { mut warnings, backtest } = self.guard(&candidate, &registry).await?;
        if let Some(canary) = registry.canary_of(&kind).filter(|canary| canary.digest != info.digest) {
            warnings.push(format!(
                "the canary on {} goes on beside it: end it with `lockstep component rollback {kind}`",
                canary.digest.short()
            ));
        }
        let shown = backtest.as_deref();
        let moving = Moving { kind, info: &info, grant, action: AuditAction::Activate, shown };
        let activation = self.point(moving, &registry, Actor { by, reason }).await?;
        Ok(Activated { activation, warnings, backtest })
    }

    /// Stores where the pointer stands from now on. A candidate that becomes active is no canary any more.
    pub(super) async fn point(
        &self,
        moving: Moving<'_>,
        registry: &Registry,
        actor: Actor,
    ) -> Answer<Activation> {
        let Moving { kind, info, grant, action, shown } = moving;
        let given = actor.reason.clone().filter(|reason| !reason.is_empty());
        let reason = given.unwrap_or_else(|| match action {
            AuditAction::Rollback => "rolled back".to_owned(),
            AuditAction::Promote => "its canary was promoted".to_owned(),
            _ => String::new(),
        });
        let activation = Activation {
            kind: kind.clone(),
            digest: info.digest,
            grant: grant.clone(),
            at: self.shared.outside.clock.now(),
            by: by(&actor),
            reason,
        };
        let mut changes = vec![RegistryChange::Activate(activation.clone())];
        if registry.grants.iter().all(|row| row.kind != kind || row.grant != grant) {
            let (at, by) = (activation.at, activation.by.clone());
            changes.push(RegistryChange::Grant(KindGrant { kind: kind.clone(), grant, at, by }));
        }
        if registry.canary_of(&kind).is_some_and(|canary| canary.digest == info.digest) {
            changes.push(RegistryChange::EndCanary(kind.clone()));
        }
        let from = registry.active_of(&kind).map(|active| format!("{} -> ", active.digest.short()));
        let detail = format!(
            "{}{} {}{}",
            from.unwrap_or_default(),
            info.digest.short(),
            info.descriptor.version,
            shown.map_or_else(String::new, |report| format!(", backtest: {}", report.in_words()))
        );
        self.alter(changes, Deed { action, subject: kind, detail }, actor).await?;
        Ok(activation)
    }

    /// Ends the canary of a kind, or else moves its pointer back to where it stood before.
    pub(super) async fn go_back(&self, kind: String, actor: Actor) -> Answer<RolledBack> {
        let _alone = self.shared.registry.lock().await;
        let registry = self.registry().await?;
        if let Some(canary) = registry.canary_of(&kind).cloned() {
            let detail = format!("{} is no candidate any more", canary.digest.short());
            let deed = Deed { action: AuditAction::EndCanary, subject: kind.clone(), detail };
            self.alter(vec![RegistryChange::EndCanary(kind)], deed, actor).await?;
            return Ok(RolledBack::Canary(canary));
        }
        let components = &self.shared.outside.components;
        let history = components.history(&kind).await.map_err(store)?;
        let before =
            stack(&history).into_iter().nth_back(1).ok_or_else(|| nothing_before(&kind, &history))?;
        let info = components.info(&before).await.map_err(store)?.ok_or_else(|| {
            let digest = before.short();
            ServiceError::NotFound(format!(
                "component {digest}, which kind {kind} used before, is no longer stored: add its file again with \
                 `lockstep component add FILE`"
            ))
        })?;
        let moved = self.repoint(kind, &info, States::Tell, AuditAction::Rollback, &registry, actor).await?;
        Ok(RolledBack::Pointer(moved))
    }

    /// Moves a kind's pointer to a component that runs of it have had already: guarded, without gates, under the grant
    /// the kind has.
    pub(super) async fn repoint(
        &self,
        kind: String,
        info: &ComponentInfo,
        states: States,
        action: AuditAction,
        registry: &Registry,
        actor: Actor,
    ) -> Answer<Activated> {
        let grant = registry.grant(&kind).cloned().unwrap_or_default();
        let gates = Gates::default();
        let (command, options) = (action.word(), String::new());
        let candidate =
            Candidate { info, kind: &kind, grant: &grant, gates: &gates, states, command, options };
        let Found { warnings, backtest } = self.guard(&candidate, registry).await?;
        let moving = Moving { kind, info, grant, action, shown: None };
        let activation = self.point(moving, registry, actor).await?;
        Ok(Activated { activation, warnings, backtest })
    }
}

/// Where a pointer moves.
pub(super) struct Moving<'a> {
    pub(super) kind: String,
    pub(super) info: &'a ComponentInfo,
    pub(super) grant: Grant,
    pub(super) action: AuditAction,
    /// What a backtest showed, for the audit log.
    pub(super) shown: Option<&'a BacktestReport>,
}

/// The components that stand below each other in a kind's history: moving to the one before takes the last away, so that
/// going back twice goes back two steps, not forth again.
fn stack(history: &[Activation]) -> Vec<Digest> {
    let mut stack: Vec<Digest> = Vec::new();
    for Activation { digest, .. } in history {
        if stack.last() == Some(digest) {
            continue;
        }
        if stack.iter().nth_back(1) == Some(digest) {
            stack.pop();
        } else {
            stack.push(*digest);
        }
    }
    stack
}

fn nothing_before(kind: &str, history: &[Activation]) -> ServiceError {
    if history.is_empty() {
        return super::view::no_such_kind(kind);
    }
    ServiceError::Conflict(format!(
        "kind {kind} has used nothing before what it uses now: choose with `lockstep component activate {kind} DIGEST`, \
         see `lockstep component list`"
    ))
}

#[cfg(test)]
mod tests {
    use super::stack;
    use lockstep_testkit::samples::activation;
    use lockstep_types::Digest;

    fn shown(moves: &str) -> String {
        let moves: Vec<_> = moves
            .chars()
            .zip(1..)
            .map(|(name, at)| activation("k", Digest::of(name.to_string().as_bytes()), at))
            .collect();
        let name = |digest: &Digest| ('A'..='Z').find(|c| Digest::of(c.to_string().as_bytes()) == *digest);
        stack(&moves).iter().filter_map(name).collect()
    }

    #[test]
    fn going_back_takes_the_last_away() {
        assert_eq!(shown(""), "");
        assert_eq!(shown("A"), "A");
        assert_eq!(shown("ABC"), "ABC");
        assert_eq!(shown("ABCB"), "AB");
        assert_eq!(shown("ABCBA"), "A");
        assert_eq!(shown("AABB"), "AB");
        assert_eq!(shown("ABCA"), "ABCA");
    }
}
