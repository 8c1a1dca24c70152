use super::with_host;
use crate::args::StepCommand;
use crate::context::Context;
use crate::exit::{Exit, Refused};
use crate::{ids, render};
use lockstep_ports::ServiceError;

/// `lockstep step show`
pub(super) async fn step(context: &Context, command: StepCommand) -> anyhow::Result<Exit> {
    let StepCommand::Show { run, step: name, calls } = command;
    let page = with_host(context, "step show", async |service, _| {
        let id = ids::find(&*service, &run.run).await?;
        let view = service.get(&id).await?;
        let status = view.summary.status;
        let names: Vec<String> = view.steps.iter().map(|step| step.name.clone()).collect();
        let Some(step) = view.steps.into_iter().find(|step| step.name == name) else {
            return Refused::because(format!("the run has no step {name:?}, only {}", names.join(", ")));
        };
        let log = match service.job_log(&id, &name).await {
            Ok(log) => Some(log),
            // A step without a job has no log.
            Err(ServiceError::NotFound(_)) => None,
            Err(error) => return Err(error.into()),
        };
        let invocations = service.invocations(&id, Some(&name)).await?;
        Ok(render::StepPage { step, run: status, invocations, log, calls, now: render::now() })
    });
    context.term.show(&page.await?, render::step)?;
    Ok(Exit::Done)
}
