use crate::args::BacktestArgs;
use crate::commands::read_component;
use crate::context::Context;
use crate::exit::{Exit, Refused};
use crate::host::Host;
use crate::wiring::Drive;
use crate::{ids, render};
use lockstep_ports::{BacktestCandidate, BacktestProgress, BacktestReport, BacktestRequest};
use std::path::Path;

/// `lockstep component backtest`
pub(super) async fn backtest(context: &Context, args: BacktestArgs) -> anyhow::Result<Exit> {
    let candidate = candidate(&args.candidate)?;
    let host = Host::open(context, "component backtest", Drive::Nothing).await?;
    let report = ask(context, &host, &args, candidate).await;
    host.close().await;
    let report = report?;
    let shown = args.show;
    context.term.show(&report, |style, report| render::backtest(style, report, shown))?;
    Ok(if report.counts.different() == 0 { Exit::Done } else { Exit::Failed })
}

async fn ask(
    context: &Context,
    host: &Host,
    args: &BacktestArgs,
    candidate: BacktestCandidate,
) -> anyhow::Result<BacktestReport> {
    let mut request = BacktestRequest::new(args.kind.clone(), candidate);
    request.last = args.last.and_then(|last| usize::try_from(last).ok());
    (request.since, request.shown) = (args.since, args.show);
    for run in &args.runs {
        request.runs.push(ids::find(&*host.service(), run).await?);
    }
    let term = context.term.clone();
    let progress = move |so_far: BacktestProgress| term.progress(Some(&render::backtest_progress(so_far)));
    let report = host.backtests().backtest(request, &progress).await;
    context.term.progress(None);
    Ok(report?)
}

/// A file if there is one of this name, else a digest.
fn candidate(given: &str) -> anyhow::Result<BacktestCandidate> {
    let path = Path::new(given);
    if path.exists() {
        return Ok(BacktestCandidate::Bytes(read_component(path)?));
    }
    let digits = given.strip_prefix("sha256:").unwrap_or(given);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Refused::because(format!(
            "{given:?} is neither a file nor the digest of a component: build the file, or see `lockstep component list`"
        ));
    }
    Ok(BacktestCandidate::Digest(given.to_owned()))
}
