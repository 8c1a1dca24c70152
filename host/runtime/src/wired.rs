use lockstep_types::{Effect, MergeMethod, Pipeline};

/// Job kinds and effects that somebody carries out for a run: those its pipeline, or the repository of its item, has commands
/// for, and what git does.
pub(crate) fn wired(pipeline: &Pipeline) -> Vec<String> {
    let git = [Effect::Merge(MergeMethod::default()), Effect::UpdateBranch];
    let git = git.iter().map(|effect| effect.name().to_owned());
    pipeline.jobs.keys().chain(pipeline.effects.keys()).cloned().chain(git).collect()
}

#[cfg(test)]
mod tests {
    use super::wired;
    use lockstep_types::Pipeline;

    #[test]
    fn what_has_a_command_is_wired_and_what_git_does() {
        let pipeline: Pipeline = serde_json::from_value(serde_json::json!({
            "name": "p",
            "jobs": { "coder": { "command": ["code"] } },
            "effects": { "provision": { "command": ["up"] } },
            "observations": { "environment": { "command": ["look"] } },
            "steps": [],
        }))
        .unwrap();
        assert_eq!(wired(&pipeline), ["coder", "provision", "merge", "update-branch"]);
    }
}
