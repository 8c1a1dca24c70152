//! Removing components that nothing needs.

use super::{Answer, Deed, store};
use crate::runtime::Runtime;
use crate::service::journal;
use lockstep_ports::{Actor, GcEntry, GcReport, ROWS_PAGE_MAX, RegistryChange};
use lockstep_types::{AuditAction, ComponentInfo, Digest, Registry};
use std::collections::{BTreeMap, BTreeSet};

/// Movements of a kind's pointer whose components are kept: what one may want to go back to.
const HISTORY_KEPT: usize = 5;
/// Digits of a digest.
const DIGITS: usize = 64;

impl Runtime {
    pub(super) async fn collect(&self, dry_run: bool, by: Option<String>) -> Answer<GcReport> {
        let _alone = self.shared.registry.lock().await;
        let components = &self.shared.outside.components;
        let registry = self.registry().await?;
        let all = components.list().await.map_err(store)?;
        let mut needed = self.needed_by_kinds(&all, &registry).await?;
        let mut dirs: BTreeSet<Digest> = components.dirs().await.map_err(store)?.into_iter().collect();
        for granted in registry.grants.iter().flat_map(|row| &row.grant.dirs) {
            dirs.remove(&granted.digest);
        }
        // Reading every run takes long, and is left out where it would change nothing.
        let open = all.iter().map(|info| info.digest).filter(|digest| !needed.contains_key(digest));
        let open: BTreeSet<Digest> = open.chain(dirs.iter().copied()).collect();
        if !open.is_empty() {
            for (digest, runs) in self.named_by_runs(&open).await? {
                if dirs.remove(&digest) {
                    continue;
                }
                let runs = if runs == 1 { "a run".to_owned() } else { format!("{runs} runs") };
                needed.entry(digest).or_default().push(format!("pinned by {runs}"));
            }
        }
        let entries = all.into_iter().map(|info| entry(info, &needed));
        let (kept, removed): (Vec<_>, Vec<_>) = entries.partition(|entry| !entry.needed_by.is_empty());
        if !dry_run {
            for entry in &removed {
                let deed = Deed {
                    action: AuditAction::Remove,
                    subject: entry.digest.to_string(),
                    detail: format!("{} {}, {} bytes", entry.kind, entry.version, entry.size),
                };
                let reason = Some("nothing needs it".to_owned());
                let actor = Actor { by: by.clone(), reason };
                self.alter(vec![RegistryChange::Remove(entry.digest)], deed, actor).await?;
            }
            for digest in &dirs {
                components.forget_dir(digest).await.map_err(store)?;
            }
        }
        Ok(GcReport { dry_run, removed, kept, removed_dirs: dirs.into_iter().collect() })
    }

    async fn needed_by_kinds(
        &self,
        all: &[ComponentInfo],
        registry: &Registry,
    ) -> Answer<BTreeMap<Digest, Vec<String>>> {
        let mut needed: BTreeMap<Digest, Vec<String>> = BTreeMap::new();
        let mut need = |digest: Digest, why: String| needed.entry(digest).or_default().push(why);
        for active in &registry.active {
            need(active.digest, format!("active for {}", active.kind));
            let history = self.shared.outside.components.history(&active.kind).await.map_err(store)?;
            let last: BTreeSet<Digest> =
                history.iter().rev().take(HISTORY_KEPT).map(|moved| moved.digest).collect();
            for digest in last.into_iter().filter(|digest| *digest != active.digest) {
                need(digest, format!("among the last {HISTORY_KEPT} of {}", active.kind));
            }
        }
        for canary in &registry.canaries {
            need(canary.digest, format!("canary of {}", canary.kind));
        }
        for info in all.iter().filter(|info| self.is_carried(&info.digest)) {
            need(info.digest, "part of this lockstep".to_owned());
        }
        Ok(needed)
    }

    /// How many runs name which of these components. A record names a component wherever it is pinned or was called, so
    /// that looking for the digest itself misses none, whatever events there are.
    async fn named_by_runs(&self, wanted: &BTreeSet<Digest>) -> Answer<BTreeMap<Digest, u64>> {
        let mut counts: BTreeMap<Digest, u64> = BTreeMap::new();
        let mut before = None;
        loop {
            let rows = self.shared.outside.journal.rows(before.as_ref(), ROWS_PAGE_MAX).await;
            let rows = rows.map_err(|error| journal(&error))?;
            for row in &rows {
                let records = self.shared.outside.journal.records(&row.summary.id, 1).await;
                let records = records.map_err(|error| journal(&error))?;
                let named: BTreeSet<Digest> = records
                    .iter()
                    .flat_map(|record| named_in(record))
                    .filter(|d| wanted.contains(d))
                    .collect();
                for digest in named {
                    *counts.entry(digest).or_default() += 1;
                }
            }
            before = rows.last().map(|row| row.summary.id.clone());
            if rows.len() < ROWS_PAGE_MAX {
                return Ok(counts);
            }
        }
    }
}

/// All that looks like a digest in a record.
fn named_in(record: &[u8]) -> impl Iterator<Item = Digest> {
    let words = record.split(|byte| !byte.is_ascii_hexdigit()).filter(|word| word.len() == DIGITS);
    words.filter_map(|word| std::str::from_utf8(word).ok()?.parse().ok())
}

fn entry(info: ComponentInfo, needed: &BTreeMap<Digest, Vec<String>>) -> GcEntry {
    GcEntry {
        digest: info.digest,
        kind: info.descriptor.kind,
        version: info.descriptor.version,
        size: info.size,
        needed_by: needed.get(&info.digest).cloned().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::named_in;
    use lockstep_types::Digest;

    #[test]
    fn digests_are_found_wherever_they_stand() {
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        let text =
            format!("{{\"pins\":{{\"k\":{{\"digest\":\"{a}\"}}}},\"x\":\"{b}0\",\"y\":\"sha256:{b}\"}}");
        assert_eq!(named_in(text.as_bytes()).collect::<Vec<_>>(), [a, b]);
        assert_eq!(named_in(b"").count(), 0);
    }
}
