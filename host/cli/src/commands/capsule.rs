use super::with_host;
use crate::args::{CapsuleCommand, ExportArgs};
use crate::context::Context;
use crate::exit::{Exit, Refused};
use crate::{ids, render};
use lockstep_ports::InvocationView;
use lockstep_types::{Capsule, RunId, capsule_text as file};
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};

/// Capsules one command writes: more calls than a step has that anybody looks into one by one.
const CAPSULES_MAX: usize = 10_000;

/// What was written.
#[derive(Serialize)]
struct Exported {
    capsules: Vec<PathBuf>,
}

/// `lockstep capsule …`
pub(super) async fn capsule(context: &Context, command: CapsuleCommand) -> anyhow::Result<Exit> {
    let CapsuleCommand::Export(args) = command;
    let (run, calls) = with_host(context, "capsule export", async |service, _| {
        let run = ids::find(&*service, &args.run.run).await?;
        let calls = service.invocations(&run, Some(&args.step)).await?;
        Ok((run, calls))
    })
    .await?;
    let calls = wanted(&run, calls, &args)?;
    let mut capsules = Vec::new();
    for (call, path) in places(calls, &run, args.out.as_deref())? {
        let capsule = Capsule::new(run.clone(), call.number, call.invocation);
        if let Err(error) = fs::write(&path, file::write(&capsule)) {
            return Refused::because(format!("{} cannot be written: {error}", path.display()));
        }
        capsules.push(path);
    }
    context.term.show(&Exported { capsules }, |_, exported| {
        exported.capsules.iter().map(|path| format!("{}\n", path.display())).collect()
    })?;
    Ok(Exit::Done)
}

fn wanted(
    run: &RunId,
    mut calls: Vec<InvocationView>,
    args: &ExportArgs,
) -> anyhow::Result<Vec<InvocationView>> {
    let shown = render::short(run);
    let step = &args.step;
    if calls.is_empty() {
        return Refused::because(format!(
            "no call of a step {step:?} is recorded in run {shown}: see `lockstep runs show {shown}`"
        ));
    }
    if let Some(number) = args.call {
        let numbers: Vec<String> = calls.iter().map(|call| call.number.to_string()).collect();
        calls.retain(|call| call.number == number);
        if calls.is_empty() {
            return Refused::because(format!(
                "step {step:?} of run {shown} made no call {number}, only {}",
                numbers.join(", ")
            ));
        }
    }
    if calls.len() > CAPSULES_MAX {
        return Refused::because(format!(
            "step {step:?} made more than {CAPSULES_MAX} calls: name one with --call"
        ));
    }
    Ok(calls)
}

/// Where each call goes: a file that was named, or files in a folder, named by kind, run and call.
fn places(
    calls: Vec<InvocationView>,
    run: &RunId,
    out: Option<&Path>,
) -> anyhow::Result<Vec<(InvocationView, PathBuf)>> {
    let out = out.unwrap_or_else(|| Path::new("."));
    let is_file = out.extension().is_some_and(|extension| extension == "json") && !out.is_dir();
    if is_file && calls.len() == 1 {
        return Ok(calls.into_iter().map(|call| (call, out.to_owned())).collect());
    }
    if is_file {
        return Refused::because(format!(
            "the step made {} calls and {} is one file: name a folder, or one call with --call",
            calls.len(),
            out.display()
        ));
    }
    if let Err(error) = fs::create_dir_all(out) {
        return Refused::because(format!("the folder {} cannot be made: {error}", out.display()));
    }
    let name = |call: &InvocationView| {
        let kind: String =
            call.kind.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        format!("{kind}-{}-{:04}.json", render::short(run), call.number)
    };
    Ok(calls.into_iter().map(|call| (out.join(name(&call)), call)).map(|(path, call)| (call, path)).collect())
}
