use super::read_component;
use crate::args::StepTestArgs;
use crate::cases::{self, Case, Tested};
use crate::context::Context;
use crate::exit::{Exit, Refused};
use crate::{render, wiring};
use lockstep_ports::StepExecutor;

/// `lockstep step test`
pub(super) async fn test(context: &Context, args: StepTestArgs) -> anyhow::Result<Exit> {
    let shown = args.component.display().to_string();
    let bytes = read_component(&args.component)?;
    let sandbox = wiring::open_bench(context.folder.path())?;
    let component = sandbox.inspect(&bytes).await.map_err(|error| Refused(format!("{shown}: {error}")))?;
    let kind = &component.descriptor.kind;
    let mut all: Vec<Case> = Vec::new();
    if let Some(wanted) = &args.kind {
        all.extend(of_kind(&shown, kind, wanted)?);
    }
    if let Some(path) = &args.cases {
        all.extend(cases::read(path, kind)?);
    }
    let reports = cases::run(&sandbox, &component, &all, args.bless).await?;
    let descriptor = component.descriptor;
    let tested = Tested {
        kind: descriptor.kind,
        version: descriptor.version,
        digest: component.digest,
        cases: reports,
    };
    if args.bless {
        return bless(context, &tested);
    }
    context.term.show(&tested, render::tested)?;
    Ok(if tested.differing() == 0 { Exit::Done } else { Exit::Failed })
}

fn of_kind(shown: &str, kind: &str, wanted: &str) -> anyhow::Result<Vec<Case>> {
    if kind != wanted {
        return Refused::because(format!(
            "{shown} implements kind {kind}, not {wanted}: give `--kind {kind}`, or a component of {wanted}"
        ));
    }
    cases::of_kind(wanted).unwrap_or_else(|| {
        let known = cases::kinds().collect::<Vec<_>>().join(", ");
        Refused::because(format!(
            "{wanted} is not a standard kind, so nothing is said of what it must do: leave --kind out, \
             or write a component of {known}"
        ))
    })
}

fn bless(context: &Context, tested: &Tested) -> anyhow::Result<Exit> {
    let blessing = cases::bless(&tested.cases)?;
    for line in &blessing.left {
        context.term.error(line);
    }
    let written = render::counted(blessing.written, "expectation");
    context.term.note(&format!("{written} written: look at what changed before you keep it"));
    Ok(if blessing.left.is_empty() { Exit::Done } else { Exit::Failed })
}
