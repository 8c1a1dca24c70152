//! The host itself: through its server, or opened here.

use super::Check;
use crate::context::Context;
use crate::data::{Holder, Locking};
use crate::host::Host;
use crate::standard;
use crate::wiring::Drive;
use lockstep_ports::{RunQuery, RunService};
use lockstep_providers::http::{Http, HttpOptions, HttpRequest, Retry};
use lockstep_types::RunStatus;

/// Runs that are counted of each status.
const RUNS_MAX: usize = 500;

pub(super) async fn checks(context: &Context) -> Vec<Check> {
    if !context.folder.path().is_dir() {
        return Vec::new();
    }
    let mut checks = vec![server(context).await];
    match Host::open(context, "doctor", Drive::Nothing).await {
        Ok(host) => {
            let opened = if host.server().is_some() { "open in the server" } else { "opens" };
            checks.push(Check::ok("store", opened));
            checks.push(components(&host).await);
            checks.push(runs(context, &*host.service()).await);
            host.close().await;
        }
        Err(error) => {
            let next = format!("see `{}`", context.command("store verify"));
            checks.push(Check::failed("store", format!("{error:#}"), next));
        }
    }
    checks
}

async fn server(context: &Context) -> Check {
    let name = "server";
    let holder = match context.folder.try_lock("doctor") {
        Ok(Locking::Ours(_)) => {
            let next = "nothing happens without one but while a command works";
            return Check::warning(
                name,
                "none is running",
                format!("{next}: `{}`", context.command("serve")),
            );
        }
        Ok(Locking::Held(holder)) => holder,
        Err(error) => return Check::failed(name, format!("{error:#}"), "let the data folder be used"),
    };
    let Holder { pid, command } = &holder;
    let pid = pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
    let Some(server) = context.folder.server_of(&holder) else {
        return Check::ok(name, format!("`{command}`{pid} has the data folder"));
    };
    let mut options = HttpOptions::new("server", &server.url);
    options.retry = Retry::NEVER;
    options.allow_plain = true;
    let asked = match Http::new(options) {
        Ok(http) => http.send(&HttpRequest::get("readyz")).await,
        Err(error) => Err(error),
    };
    match asked {
        Ok(answer) if answer.is_ok() => Check::ok(name, format!("ready at {}{pid}", server.url)),
        Ok(answer) => {
            let said = String::from_utf8_lossy(&answer.body).trim().replace('\n', "; ");
            Check::failed(name, format!("not ready at {}{pid}: {said}", server.url), "do as it says")
        }
        Err(error) => Check::failed(
            name,
            error.to_string(),
            format!("look at its log, then end it{pid} and start it again"),
        ),
    }
}

async fn components(host: &Host) -> Check {
    let (name, service) = ("components", host.components());
    if let Err(error) = standard::require(&*service).await {
        return Check::failed(name, format!("{error:#}"), "as it says");
    }
    match service.kinds().await {
        Ok(kinds) => Check::ok(name, format!("{} step kinds", kinds.len())),
        Err(error) => Check::failed(name, error.to_string(), "look at the log of the host"),
    }
}

async fn runs(context: &Context, service: &dyn RunService) -> Check {
    let count = async |status| {
        let query = RunQuery { status: Some(status), limit: Some(RUNS_MAX), ..RunQuery::default() };
        service.list(query).await.map(|runs| runs.runs.len())
    };
    let counted = async {
        Ok::<_, lockstep_ports::ServiceError>((
            count(RunStatus::Failed).await?,
            count(RunStatus::Blocked).await?,
        ))
    };
    match counted.await {
        Ok((0, 0)) => Check::ok("runs", "none failed, none waits for a person"),
        Ok((failed, blocked)) => {
            let found = format!("{failed} failed, {blocked} wait for a person");
            let list = context.command("runs list --status failed");
            Check::warning("runs", found, format!("`{list}`, then `{}`", context.command("why RUN")))
        }
        Err(error) => Check::failed("runs", error.to_string(), "look at the log of the host"),
    }
}
