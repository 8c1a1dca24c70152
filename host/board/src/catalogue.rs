//! What every new board begins with: the built-in pipelines (SPEC PL-14), and the preset Balanced.

use crate::bounds::NAME_CHARS_MAX;
use crate::changes::Changes;
use crate::text::name;
use crate::{Board, presets};
use lockstep_types::board::{Change, PipelineDef, PipelineStep, Row, Settings, Workspace, WorkspaceId};
use lockstep_types::{Gating, JsonText, OnMissingEstimate, Pinning, Rejected, Timestamp};

/// A pipeline in short. A step is a role or, where nobody needs one, a kind; `?` lets the estimate decide whether a
/// companion grades, `!` asks a person for consent.
struct Builtin {
    name: &'static str,
    description: &'static str,
    steps: &'static [&'static str],
}

const CATALOGUE: [Builtin; 12] = [
    Builtin {
        name: "Full build",
        description: "A feature from its requirements to the merge, with every check.",
        steps: &[
            "requirements-review",
            "task-estimator",
            "architect",
            "architect-companion?",
            "coder",
            "reviewer",
            "tester",
            "ci-gate",
            "conflicts-gate",
            "merge-resolver",
        ],
    },
    Builtin {
        name: "Complex full-stack",
        description: "A large feature: specified, designed, agreed on, built and tried by a person.",
        steps: &[
            "requirements-review",
            "task-estimator",
            "spec-writer",
            "spec-companion?",
            "architect",
            "architect-companion!",
            "coder",
            "reviewer",
            "tester",
            "ci-gate",
            "human-test",
            "conflicts-gate",
            "merge-resolver",
        ],
    },
    Builtin {
        name: "Bug fix",
        description: "A bug investigated, reported clearly, repaired and merged.",
        steps: &[
            "bug-investigator",
            "clarity-review",
            "coder",
            "reviewer",
            "tester",
            "ci-gate",
            "conflicts-gate",
            "merge-resolver",
        ],
    },
    Builtin {
        name: "Quick",
        description: "A small change that CI alone has to accept.",
        steps: &["coder", "ci-gate", "merge-resolver"],
    },
    Builtin {
        name: "Simple",
        description: "A change that is reviewed, checked and merged.",
        steps: &["coder", "reviewer", "ci-gate", "conflicts-gate", "merge-resolver"],
    },
    Builtin {
        name: "Integrate",
        description: "A connection to another system, designed first and tested against it.",
        steps: &[
            "analysis",
            "architect",
            "architect-companion",
            "coder",
            "reviewer",
            "tester",
            "ci-gate",
            "conflicts-gate",
            "merge-resolver",
        ],
    },
    Builtin {
        name: "Dependency updates",
        description: "Newer dependencies, tested and merged. Made to be scheduled.",
        steps: &["coder", "tester", "ci-gate", "conflicts-gate", "merge-resolver"],
    },
    Builtin {
        name: "Tech debt",
        description: "Technical debt found and filed as a ticket. Made to be scheduled.",
        steps: &["analysis", "tracker"],
    },
    Builtin {
        name: "Map service",
        description: "The modules of a service drawn from its code onto the board.",
        steps: &["blueprints"],
    },
    Builtin {
        name: "Write spec",
        description: "A specification written and graded.",
        steps: &["requirements-review", "spec-writer", "spec-companion"],
    },
    Builtin {
        name: "Build",
        description: "A change built and checked; a person merges it.",
        steps: &["coder", "reviewer", "tester", "ci-gate", "conflicts-gate"],
    },
    Builtin {
        name: "Human test",
        description: "A change that a person tries in an environment of its own before it is merged.",
        steps: &["coder", "reviewer", "ci-gate", "human-test", "conflicts-gate", "merge-resolver"],
    },
];

/// A companion that the estimate decides about grades from here on, on any axis.
const GATING_THRESHOLD: f64 = 0.5;

impl Board {
    /// What a new board is stored as; [`Board::from_rows`] makes it of that.
    ///
    /// # Errors
    /// `Invalid` for a name that is empty or too long.
    pub fn create(id: WorkspaceId, title: &str, now: Timestamp) -> Result<Vec<Change>, Rejected> {
        let title = name("workspace's name", title, NAME_CHARS_MAX)?;
        let workspace = Workspace { id, name: title, last_number: 0, created_at: now };
        let mut changes = Changes::of(&Self::empty(workspace));
        changes.put(Row::Settings(Settings::default()));
        let balanced = presets::balanced(changes.id("preset"));
        changes.put(Row::Preset(balanced));
        for builtin in &CATALOGUE {
            let pipeline = PipelineDef {
                id: changes.id("pipeline"),
                name: builtin.name.to_owned(),
                description: builtin.description.to_owned(),
                labels: Vec::new(),
                archived: false,
                builtin: true,
                pin: Pinning::default(),
                steps: builtin.steps.iter().map(|step| expand(step)).collect(),
                created_at: now,
                updated_at: now,
            };
            changes.put(Row::Pipeline(pipeline));
        }
        Ok(changes.finish())
    }
}

fn expand(short: &str) -> PipelineStep {
    let role = short.trim_end_matches(['?', '!']);
    let kind = match role {
        "reviewer" | "spec-companion" | "architect-companion" => "companion-grader",
        "analysis" | "architect" | "blueprints" | "bug-investigator" | "coder" | "spec-writer" => "agent",
        kind => kind,
    };
    let gating = short.ends_with('?').then_some(Gating {
        enabled: true,
        min_complexity: Some(GATING_THRESHOLD),
        min_risk: Some(GATING_THRESHOLD),
        min_impact: Some(GATING_THRESHOLD),
        on_missing_estimate: OnMissingEstimate::Run,
    });
    PipelineStep {
        name: role.to_owned(),
        kind: kind.to_owned(),
        role: (role != kind).then(|| role.to_owned()),
        needs: None,
        approval: short.ends_with('!'),
        enabled: true,
        gating,
        config: JsonText::null(),
    }
}
