//! What keeps a component from being used.

use lockstep_ports::ServiceError;
use lockstep_types::{ComponentInfo, Digest, Grant, Stop};
use std::collections::BTreeMap;

pub(super) fn asked_for(info: &ComponentInfo) -> Grant {
    Grant {
        imports: info.imports.clone(),
        jobs: info.descriptor.jobs.clone(),
        effects: info.descriptor.effects.clone(),
    }
}

/// Refuses a component that was stopped.
pub(super) fn refuse_stopped(
    info: &ComponentInfo,
    stopped: &BTreeMap<Digest, Stop>,
) -> Result<(), ServiceError> {
    let Some(Stop { by, reason, .. }) = stopped.get(&info.digest) else { return Ok(()) };
    let digest = info.digest.short();
    Err(ServiceError::Conflict(format!(
        "component {digest} was stopped by {by} ({reason}): allow it with `lockstep component resume-digest {digest}`"
    )))
}

/// Refuses a component that asks for more than the grant, with the flags that would allow it.
pub(super) fn refuse_excess(info: &ComponentInfo, grant: &Grant) -> Result<(), ServiceError> {
    let mut flags = Vec::new();
    let asked = asked_for(info);
    let pairs = [
        ("import", &asked.imports, &grant.imports),
        ("job", &asked.jobs, &grant.jobs),
        ("effect", &asked.effects, &grant.effects),
    ];
    for (what, asked, granted) in pairs {
        let missing = asked.iter().filter(|name| !granted.contains(name));
        flags.extend(missing.map(|name| format!("--grant-{what} {name}")));
    }
    if flags.is_empty() {
        return Ok(());
    }
    let kind = &info.descriptor.kind;
    Err(ServiceError::Conflict(format!(
        "component {0} asks for more than kind {kind} is granted: allow it with `lockstep component activate {kind} {0} {1}`",
        info.digest.short(),
        flags.join(" ")
    )))
}
