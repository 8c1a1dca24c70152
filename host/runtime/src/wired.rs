use lockstep_types::{Effect, MergeMethod, Pipeline};

/// Job kinds and effects that somebody carries out for a run: those its pipeline, or the repository of its item, has commands
/// for, and what git does.
pub(crate) fn wired(pipeline: &Pipeline) -> Vec<String> {
    let git = [Effect::Merge(MergeMethod::default()), Effect::UpdateBranch];
    let git = git.iter().map(|effect| effect.name().to_owned());
    pipeline.jobs.keys().chain(pipeline.effects.keys()).cloned().chain(git).collect()
}
