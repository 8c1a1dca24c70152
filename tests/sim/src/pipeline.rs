//! Random pipelines, and the kinds their steps are of.

use crate::random::Random;
use lockstep_testkit::samples;
use lockstep_types::board::{PipelinePatch, PipelineStep};
use lockstep_types::{Access, JsonText, Pinning};
use std::fmt::Write as _;

/// Steps of a pipeline: room for two parallel branches that meet again.
const STEPS_MAX: u64 = 6;

/// Text of a pipeline file: a chain, or branches, with approvals here and there.
pub(crate) fn text(random: &mut Random) -> String {
    written(random, true)
}

/// The same without branches: what two of them leave in the same moment may be taken in any order.
pub(crate) fn chain(random: &mut Random) -> String {
    written(random, false)
}

fn written(random: &mut Random, has_branches: bool) -> String {
    let mut text = format!("name = \"pipeline-{}\"\n", random.below(1000));
    if random.chance(30) {
        text.push_str("pin = \"step\"\n");
    }
    for at in 0..=random.below(STEPS_MAX) {
        let kind = if random.chance(35) { "reader" } else { "writer" };
        write!(text, "[[steps]]\nname = \"s{at}\"\nrole = \"s{at}\"\nkind = \"{kind}\"\n")
            .expect("a String takes everything");
        if random.chance(20) {
            text.push_str("approval = true\n");
        }
        if has_branches && at > 0 && random.chance(40) {
            let needs: Vec<String> =
                (0..at).filter(|_| random.chance(50)).map(|need| format!("\"s{need}\"")).collect();
            writeln!(text, "needs = [{}]", needs.join(", ")).expect("a String takes everything");
        }
    }
    text
}

/// The same kind of pipeline, as a board stores it.
pub(crate) fn stored(random: &mut Random) -> PipelinePatch {
    let step = |at: u64, random: &mut Random| PipelineStep {
        name: format!("s{at}"),
        kind: if random.chance(35) { "reader" } else { "writer" }.to_owned(),
        role: Some(format!("s{at}")),
        needs: (at > 0 && random.chance(40))
            .then(|| (0..at).filter(|_| random.chance(50)).map(|need| format!("s{need}")).collect()),
        approval: random.chance(20),
        enabled: true,
        gating: None,
        config: JsonText::null(),
    };
    PipelinePatch {
        name: Some(format!("pipeline-{}", random.below(1000))),
        pin: random.chance(30).then_some(Pinning::Step),
        steps: Some((0..=random.below(STEPS_MAX)).map(|at| step(at, random)).collect()),
        ..PipelinePatch::default()
    }
}

/// Versions of a component there are.
pub(crate) const VERSIONS: u32 = 3;
/// The kinds of all steps.
pub(crate) const KINDS: [&str; 2] = ["writer", "reader"];

/// The bytes of a component of a kind: what it says of itself. Versions differ in behaviour and in the shape of their
/// states, not in what they ask for.
pub(crate) fn component(kind: &str, version: u32) -> Vec<u8> {
    let mut descriptor = samples::descriptor(kind, &version.to_string());
    descriptor.state_version = 1 + version;
    if kind == "writer" {
        descriptor.access = Access::Write;
        descriptor.effects = vec!["merge".to_owned(), "open-ticket".to_owned()];
    }
    descriptor.jobs = vec!["work".to_owned()];
    JsonText::of(&descriptor).as_str().as_bytes().to_vec()
}
