use crate::args::{NewCommand, NewStepArgs};
use crate::context::{Context, quoted};
use crate::exit::{Exit, Refused};
use lockstep_authoring::{Project, ProjectError, StepRequest};
use serde::Serialize;
use std::path::PathBuf;

/// What was written, and what to type next.
#[derive(Serialize)]
struct Written {
    dir: PathBuf,
    files: Vec<PathBuf>,
    commands: Vec<String>,
}

/// `lockstep new …`
pub(super) fn new(context: &Context, command: NewCommand) -> anyhow::Result<Exit> {
    let NewCommand::Step(NewStepArgs { name, lang, kind, dir }) = command;
    let dir = dir.unwrap_or_else(|| PathBuf::from(&name));
    let made = Project::of_step(&StepRequest { name, kind, language: lang });
    let written = made.and_then(|project| project.write(&dir).map(|()| project));
    let project = match written {
        Ok(project) => project,
        Err(error @ (ProjectError::Name { .. } | ProjectError::Exists(_))) => {
            return Refused::because(error.to_string());
        }
        Err(error) => return Err(error.into()),
    };
    let files = project.files().iter().map(|(path, _)| path.clone()).collect();
    let commands = project.commands().to_vec();
    context.term.show(&Written { dir, files, commands }, |_, written| {
        let dir = written.dir.display();
        let mut text = format!("wrote {} files; next, as {dir}/README.md explains:\n\n", written.files.len());
        text.push_str(&format!("    cd {}\n", quoted(&dir.to_string())));
        for command in &written.commands {
            text.push_str(&format!("    {command}\n"));
        }
        text
    })?;
    Ok(Exit::Done)
}
