//! Step components: kinds with what they point to, components, and what a backtest or a canary shows.

use crate::choice::choices;
use crate::{Choice, Frame, text};
use askama::Template;
use lockstep_ports::{
    BacktestOutcome, BacktestReport, CanaryReport, ComponentDetail, ComponentView, KindView,
};
use lockstep_types::{Access, Activation, CanaryTo, Grant};

/// All kinds and all components.
#[derive(Template)]
#[template(path = "registry/components.html")]
pub struct ComponentsPage {
    /// What is around it.
    pub frame: Frame,
    /// The kinds.
    pub kinds: Vec<KindView>,
    /// The components.
    pub components: Vec<ComponentView>,
}

/// One kind: what it points to, what it may do, and everything that can be done to it.
#[derive(Template)]
#[template(path = "registry/kind.html")]
pub struct KindPage {
    /// What is around it.
    pub frame: Frame,
    /// The kind.
    pub view: KindView,
    /// Every movement of its pointer, the newest first.
    pub activations: Vec<Activation>,
    /// Components that implement it.
    pub components: Vec<ComponentView>,
    /// Its canary, if there is one.
    pub canary: Option<CanaryReport>,
    /// What the candidate decided beside what the active component would have.
    pub beside: Option<BacktestReport>,
}

/// One component.
#[derive(Template)]
#[template(path = "registry/component.html")]
pub struct ComponentPage {
    /// What is around it.
    pub frame: Frame,
    /// Everything about it.
    pub detail: ComponentDetail,
    /// What needs it, a phrase each; none: whoever looks may not know.
    pub needed_by: Option<Vec<String>>,
}

/// What a backtest has shown.
#[derive(Template)]
#[template(path = "registry/backtest.html")]
pub struct BacktestPage {
    /// What is around it.
    pub frame: Frame,
    /// What it showed.
    pub report: BacktestReport,
}

/// A grant in words; empty: nothing.
fn granted(grant: &Grant) -> Vec<(&'static str, String)> {
    let dirs: Vec<String> = grant.dirs.iter().map(|dir| dir.path.clone()).collect();
    let rows = [
        ("imports", grant.imports.join(", ")),
        ("jobs", grant.jobs.join(", ")),
        ("effects", grant.effects.join(", ")),
        ("folders", dirs.join(", ")),
    ];
    rows.into_iter().filter(|(_, names)| !names.is_empty()).collect()
}

/// The candidates of a kind.
fn candidates(frame: &Frame, form: &str, all: &[ComponentView], but: Option<&str>) -> Vec<Choice> {
    let mut all: Vec<&ComponentView> = all.iter().collect();
    all.sort_by_key(|one| std::cmp::Reverse(one.info.added_at));
    let digests = all.into_iter().map(|one| (one.info.digest.to_string(), one));
    let others = digests.filter(|(digest, _)| Some(digest.as_str()) != but);
    let labels = others.map(|(digest, one)| {
        let label = format!("{} · {}", one.info.digest.short(), one.info.descriptor.version);
        (digest, label)
    });
    choices(frame, (form, "digest"), "", labels)
}

impl KindPage {
    fn granted(&self) -> Vec<(&'static str, String)> {
        granted(&self.view.grant)
    }

    fn active(&self) -> Option<String> {
        self.view.active.as_ref().map(|active| active.digest.to_string())
    }

    fn others(&self, form: &str) -> Vec<Choice> {
        candidates(&self.frame, form, &self.components, self.active().as_deref())
    }

    fn version(&self, activation: &Activation) -> &str {
        let found = self.components.iter().find(|one| one.info.digest == activation.digest);
        found.map_or("no longer stored", |one| one.info.descriptor.version.as_str())
    }

    fn share(&self, to: &CanaryTo) -> String {
        match to {
            CanaryTo::Share(percent) => format!("{percent} % of the runs that start"),
            CanaryTo::Items(items) => format!("the runs of {}", items.join(", ")),
        }
    }

    fn is_open(&self, form: &str) -> bool {
        self.frame.typed.form == form
    }

    fn back(&self) -> String {
        text::segment(&self.view.kind)
    }
}

impl ComponentPage {
    fn reads_only(&self) -> bool {
        self.detail.view.info.descriptor.access == Access::ReadOnly
    }

    fn beyond(&self) -> Vec<(&'static str, String)> {
        granted(&self.detail.beyond_grant)
    }
}

/// A difference as a row of a table.
struct Difference {
    field: String,
    recorded: String,
    candidate: String,
}

/// How a call came out, in a word, and its tone.
fn outcome(outcome: &BacktestOutcome) -> (&'static str, &'static str) {
    match outcome {
        BacktestOutcome::Identical => ("the same", "good"),
        BacktestOutcome::Changed { .. } => ("changed", "attention"),
        BacktestOutcome::Unrecorded { .. } => ("asked what is not recorded", "attention"),
        BacktestOutcome::Fault { .. } => ("fault", "bad"),
        BacktestOutcome::OtherState { .. } => ("state not taken over", "bad"),
    }
}

fn differences(outcome: &BacktestOutcome) -> Vec<Difference> {
    let row = |field: &str, recorded: String, candidate: String| Difference {
        field: field.to_owned(),
        recorded,
        candidate,
    };
    match outcome {
        BacktestOutcome::Identical => Vec::new(),
        BacktestOutcome::Changed { differences } => {
            let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "not there".to_owned());
            differences.iter().map(|one| row(&one.field, text(&one.recorded), text(&one.candidate))).collect()
        }
        BacktestOutcome::Unrecorded { asked } => {
            asked.iter().map(|asked| row("asked", "not recorded".to_owned(), asked.clone())).collect()
        }
        BacktestOutcome::Fault { message, .. } => vec![row("fault", String::new(), message.clone())],
        BacktestOutcome::OtherState { recorded, candidate, message } => {
            vec![row("state", format!("version {recorded}"), format!("version {candidate}: {message}"))]
        }
    }
}

impl BacktestPage {
    fn outcome(&self, of: &BacktestOutcome) -> (&'static str, &'static str) {
        outcome(of)
    }

    fn differences(&self, of: &BacktestOutcome) -> Vec<Difference> {
        differences(of)
    }

    fn back(&self) -> String {
        text::segment(&self.report.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::differences;
    use lockstep_ports::{BacktestOutcome, FieldDifference};

    #[test]
    fn a_backtest_tells_field_by_field_what_is_different() {
        let difference = FieldDifference {
            field: "next.wait.ms".to_owned(),
            recorded: Some("1000".to_owned()),
            candidate: None,
        };
        let asked = BacktestOutcome::Unrecorded { asked: vec!["checks of abc".to_owned()] };
        let outcomes =
            [BacktestOutcome::Identical, BacktestOutcome::Changed { differences: vec![difference] }, asked];
        let rows = outcomes.iter().flat_map(differences);
        let rows: Vec<String> =
            rows.map(|row| format!("{}: {} | {}", row.field, row.recorded, row.candidate)).collect();
        assert_eq!(rows, ["next.wait.ms: 1000 | not there", "asked: not recorded | checks of abc"]);
    }
}
