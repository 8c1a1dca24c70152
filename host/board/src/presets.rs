//! Presets (SPEC section 9, DEVIATIONS D-25).

use crate::Board;
use crate::bounds::{PRESET_NAME_CHARS_MAX, PRESETS_MAX};
use crate::changes::Changes;
use crate::text::{conflict, invalid, name, room};
use lockstep_types::board::{Change, Item, Preset, PresetId, PresetPatch, Row, RowKey};
use lockstep_types::{Policy, Rejected};

/// The preset every board begins with.
pub(crate) fn balanced(id: PresetId) -> Preset {
    let policy = Policy::default();
    Preset {
        id,
        name: "Balanced".to_owned(),
        is_default: true,
        max_complexity: policy.max_complexity,
        max_risk: policy.max_risk,
        max_impact: policy.max_impact,
        ci_max_attempts: policy.ci_max_attempts,
        max_review_iterations: policy.max_review_iterations,
        tolerated_severity: policy.tolerated_severity,
        release_watch_minutes: policy.release_watch_minutes,
        release_max_attempts: policy.release_max_attempts,
    }
}

impl Board {
    /// Makes a preset; what is left out is as in Balanced.
    ///
    /// # Errors
    /// `Invalid` without a name or for a value out of bounds, `Conflict` on a full board.
    pub fn create_preset(&self, patch: PresetPatch) -> Result<(PresetId, Vec<Change>), Rejected> {
        room("presets", self.presets().len(), PRESETS_MAX)?;
        let mut changes = Changes::of(self);
        let id: PresetId = changes.id("preset");
        let is_first = !self.presets().any(|preset| preset.is_default);
        let blank = Preset { name: String::new(), is_default: is_first, ..balanced(id.clone()) };
        let is_default = is_first || patch.is_default == Some(true);
        let preset = Preset { is_default, ..patched(blank, patch)? };
        self.put_preset(preset, &mut changes);
        Ok((id, changes.finish()))
    }

    /// Changes a preset. Making it the default takes that from the one that was (SPEC MP-3).
    ///
    /// # Errors
    /// `NotFound`, `Invalid` for a value out of bounds, `Conflict` when the default is to be none.
    pub fn edit_preset(&self, id: &PresetId, patch: PresetPatch) -> Result<Vec<Change>, Rejected> {
        let preset = self.preset(id)?;
        if preset.is_default && patch.is_default == Some(false) {
            return Err(conflict(format!(
                "preset {:?} is the default: make another one the default instead",
                preset.name
            )));
        }
        let mut changes = Changes::of(self);
        self.put_preset(patched(preset.clone(), patch)?, &mut changes);
        Ok(changes.finish())
    }

    /// Deletes a preset; items that chose it have the default from then on. An unknown one changes nothing.
    ///
    /// # Errors
    /// `Conflict` for the default.
    pub fn delete_preset(&self, id: &PresetId) -> Result<Vec<Change>, Rejected> {
        match self.preset(id) {
            Ok(preset) if preset.is_default => Err(conflict(format!(
                "preset {:?} is the default: make another one the default first",
                preset.name
            ))),
            Ok(_) => Ok(vec![Change::Remove(RowKey::Preset(id.clone()))]),
            Err(_) => Ok(Vec::new()),
        }
    }

    fn put_preset(&self, preset: Preset, changes: &mut Changes) {
        if preset.is_default {
            for other in self.presets().filter(|other| other.is_default && other.id != preset.id) {
                changes.put(Row::Preset(Preset { is_default: false, ..other.clone() }));
            }
        }
        changes.put(Row::Preset(preset));
    }

    /// The preset an item's runs use: the one it chose, if it still exists, else the default (SPEC MP-1).
    #[must_use]
    pub fn preset_for(&self, item: &Item) -> Option<&Preset> {
        let chosen = item.preset.as_ref().and_then(|id| self.preset(id).ok());
        chosen.or_else(|| self.presets().find(|preset| preset.is_default))
    }

    /// `base` with the ceilings and budgets of the item's preset; without any preset `base` as it is.
    #[must_use]
    pub fn policy_for(&self, item: &Item, base: Policy) -> Policy {
        let Some(preset) = self.preset_for(item) else { return base };
        Policy {
            max_complexity: preset.max_complexity,
            max_risk: preset.max_risk,
            max_impact: preset.max_impact,
            ci_max_attempts: preset.ci_max_attempts,
            max_review_iterations: preset.max_review_iterations,
            tolerated_severity: preset.tolerated_severity,
            release_watch_minutes: preset.release_watch_minutes,
            release_max_attempts: preset.release_max_attempts,
            ..base
        }
    }
}

/// The preset as the patch wants it, if it keeps the bounds of SPEC section 9. Values that are not given are not checked.
fn patched(preset: Preset, patch: PresetPatch) -> Result<Preset, Rejected> {
    let ceilings =
        [("complexity", patch.max_complexity), ("risk", patch.max_risk), ("impact", patch.max_impact)];
    for (axis, value) in ceilings {
        if value.is_some_and(|value| !(0.0..=1.0).contains(&value)) {
            return Err(invalid(format!("the ceiling of {axis} must be between 0 and 1")));
        }
    }
    let counts = [
        ("CI attempts", patch.ci_max_attempts, 0..=50),
        ("review iterations", patch.max_review_iterations, 1..=20),
        ("minutes a release is watched", patch.release_watch_minutes, 1..=720),
        ("investigations of a regression", patch.release_max_attempts, 0..=10),
    ];
    for (what, value, bounds) in counts {
        if value.is_some_and(|value| !bounds.contains(&value)) {
            return Err(invalid(format!("the {what} must be {} to {}", bounds.start(), bounds.end())));
        }
    }
    let wanted = patch.name.as_ref().unwrap_or(&preset.name);
    Ok(Preset {
        name: name("preset's name", wanted, PRESET_NAME_CHARS_MAX)?,
        is_default: patch.is_default.unwrap_or(preset.is_default),
        max_complexity: patch.max_complexity.unwrap_or(preset.max_complexity),
        max_risk: patch.max_risk.unwrap_or(preset.max_risk),
        max_impact: patch.max_impact.unwrap_or(preset.max_impact),
        ci_max_attempts: patch.ci_max_attempts.unwrap_or(preset.ci_max_attempts),
        max_review_iterations: patch.max_review_iterations.unwrap_or(preset.max_review_iterations),
        tolerated_severity: patch.tolerated_severity.unwrap_or(preset.tolerated_severity),
        release_watch_minutes: patch.release_watch_minutes.unwrap_or(preset.release_watch_minutes),
        release_max_attempts: patch.release_max_attempts.unwrap_or(preset.release_max_attempts),
        id: preset.id,
    })
}
