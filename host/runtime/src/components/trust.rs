//! Whose signatures count.

use super::{Answer, Deed, by};
use crate::runtime::Runtime;
use crate::signature;
use lockstep_ports::{Actor, ComponentDetail, RegistryChange, ServiceError, TrustChange};
use lockstep_types::{AuditAction, ComponentInfo, Registry, Signature, Trust, TrustPolicy, TrustedKey};

/// Keys a host trusts; a few teams.
const KEYS_MAX: usize = 256;
/// Characters of the name of a key.
const NAME_CHARS_MAX: usize = 64;

/// Refuses a component that the policy on signatures does not let in, or gives its warning.
pub(super) fn check(info: &ComponentInfo, registry: &Registry) -> Answer<Option<String>> {
    let problem = problem(info, registry);
    match (registry.trust.policy, problem) {
        (TrustPolicy::Off, _) | (_, None) => Ok(None),
        (TrustPolicy::Warn, Some(problem)) => Ok(Some(problem)),
        (TrustPolicy::Require, Some(problem)) => Err(ServiceError::Conflict(problem)),
    }
}

/// What is missing for a component to be trusted, with the command that would bring it.
fn problem(info: &ComponentInfo, registry: &Registry) -> Option<String> {
    let digest = info.digest.short();
    let signatures = registry.signatures.get(&info.digest).map(Vec::as_slice).unwrap_or_default();
    let valid: Vec<&Signature> =
        signatures.iter().filter(|signature| signature::verify(info, signature).is_ok()).collect();
    if valid.iter().any(|signature| trusted_as(&signature.key, &registry.trust).is_some()) {
        return None;
    }
    Some(match valid.first() {
        Some(Signature { key, .. }) => format!(
            "component {digest} is signed only by key {}, which is not trusted: trust it with `lockstep component trust \
             add {key} --name NAME`",
            signature::short(key)
        ),
        None => format!(
            "component {digest} has no signature: add one with `lockstep component sign {digest} --key FILE`"
        ),
    })
}

/// Name of a trusted key.
pub(super) fn trusted_as<'a>(key: &str, trust: &'a Trust) -> Option<&'a str> {
    trust.keys.iter().find(|trusted| trusted.key == key).map(|trusted| trusted.name.as_str())
}

/// Reads a signature file, and refuses one that is not of the component.
pub(super) fn signature_of(info: &ComponentInfo, text: &str) -> Answer<Signature> {
    let digest = info.digest.short();
    let refused = |error: signature::SignatureError| {
        ServiceError::Invalid(format!(
            "the signature of component {digest} is refused: {error}: sign it with `lockstep component sign`"
        ))
    };
    let signature = signature::read_signature(text).map_err(refused)?;
    signature::verify(info, &signature).map_err(refused)?;
    Ok(signature)
}

impl Runtime {
    pub(super) async fn keep_signature(
        &self,
        digest: &str,
        text: &str,
        actor: Actor,
    ) -> Answer<ComponentDetail> {
        let alone = self.shared.registry.lock().await;
        let info = self.find_component(digest).await?;
        let signature = signature_of(&info, text)?;
        let deed = Deed {
            action: AuditAction::Sign,
            subject: info.digest.to_string(),
            detail: format!("key {}", signature::short(&signature.key)),
        };
        self.alter(vec![RegistryChange::Sign(info.digest, signature)], deed, actor).await?;
        drop(alone);
        self.stored_detail(info).await
    }

    pub(super) async fn alter_trust(&self, change: TrustChange, actor: Actor) -> Answer<Trust> {
        let _alone = self.shared.registry.lock().await;
        let mut trust = self.registry().await?.trust;
        let (subject, detail) = match change {
            TrustChange::Policy(policy) => {
                let detail = format!("{} -> {}", trust.policy.word(), policy.word());
                trust.policy = policy;
                ("policy".to_owned(), detail)
            }
            TrustChange::Add { name, key } => {
                let (key, _) = signature::read_public(&key)
                    .map_err(|error| ServiceError::Invalid(format!("the key is refused: {error}")))?;
                refuse_key(&name, &key, &trust)?;
                let detail = format!("key {} is trusted", signature::short(&key));
                let (at, by) = (self.shared.outside.clock.now(), by(&actor));
                trust.keys.push(TrustedKey { name: name.clone(), key, at, by });
                trust.keys.sort_by(|a, b| a.name.cmp(&b.name));
                (name, detail)
            }
            TrustChange::Remove { name } => {
                let found = trust.keys.iter().position(|key| key.name == name);
                let at = found.ok_or_else(|| {
                    ServiceError::NotFound(format!(
                        "no trusted key is called {name:?}: see `lockstep component trust list`"
                    ))
                })?;
                let key = trust.keys.remove(at).key;
                (name, format!("key {} is not trusted any more", signature::short(&key)))
            }
        };
        let deed = Deed { action: AuditAction::Trust, subject, detail };
        self.alter(vec![RegistryChange::Trust(trust.clone())], deed, actor).await?;
        Ok(trust)
    }
}

fn refuse_key(name: &str, key: &str, trust: &Trust) -> Answer<()> {
    let length = name.chars().count();
    if length == 0 || length > NAME_CHARS_MAX || name.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(ServiceError::Invalid(format!(
            "{name:?} is no name for a key: 1 to {NAME_CHARS_MAX} characters without spaces"
        )));
    }
    if trust.keys.len() >= KEYS_MAX {
        return Err(ServiceError::Conflict(format!("{KEYS_MAX} keys are trusted already: remove one")));
    }
    if let Some(known) = trust.keys.iter().find(|known| known.key == key) {
        return Err(ServiceError::Conflict(format!("the key is trusted already, as {}", known.name)));
    }
    if trust.keys.iter().any(|known| known.name == name) {
        return Err(ServiceError::Conflict(format!(
            "another trusted key is called {name}: use another name, or remove it with \
             `lockstep component trust remove {name}`"
        )));
    }
    Ok(())
}
