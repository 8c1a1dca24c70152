use super::run::interrupted;
use crate::args::ServeArgs;
use crate::config::{HostConfig, MetricsAccess};
use crate::context::Context;
use crate::data::ServerFile;
use crate::exit::{Exit, Refused};
use crate::host::Host;
use crate::simulations::Simulations;
use crate::standard;
use crate::wiring::Retention;
use anyhow::Context as _;
use lockstep_access::Offered;
use lockstep_server::{AppState, Options, Origin, ServeError, Services, Watch};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpListener;

/// `lockstep serve`
pub(super) async fn serve(context: &Context, args: ServeArgs) -> anyhow::Result<Exit> {
    let interrupted = interrupted()?;
    let listener = match lockstep_server::bind(&args.listen, args.allow_remote).await {
        Ok(listener) => listener,
        Err(error @ ServeError::Bind { .. }) => return Err(error.into()),
        Err(error) => return Refused::because(error.to_string()),
    };
    let host = Host::open_here(context, "serve").await?;
    host.retain(Retention { done_days: args.keep_done, failed_days: args.keep_failed, runs: args.keep_runs });
    let result = match options(context, &args) {
        Ok(options) => listen(context, &host, listener, options, interrupted).await,
        Err(error) => Err(error),
    };
    host.close().await;
    result
}

/// How the server is to be reached, by the command line and else by the configuration.
fn options(context: &Context, args: &ServeArgs) -> anyhow::Result<Options> {
    let config = HostConfig::read(context.folder.path())?.server;
    let origin = args.origin.as_ref().or(config.origin.as_ref());
    let origin = match origin.map(|text| Origin::parse(text)).transpose() {
        Ok(origin) => origin,
        Err(why) => return Refused::because(why),
    };
    let token = context.folder.token_or_new()?;
    Ok(Options { token, allow_remote: args.allow_remote, origin, limits: config.limits() })
}

async fn listen(
    context: &Context,
    host: &Host,
    listener: TcpListener,
    options: Options,
    interrupted: impl Future<Output = ()>,
) -> anyhow::Result<Exit> {
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        context.term.note(&format!(
            "lockstep: warning: {address} can be reached from other machines, without encryption; \
             whoever has a token, or listens on the way, can run commands here; put a proxy that speaks TLS before it"
        ));
    }
    standard::require(&*host.components()).await?;
    let local = host.local().context("a server needs a data folder of its own")?;
    let Offered { runs, board, components, backtests } = local.offered();
    let (access, replies) = (Some(local.access()), Some(local.replies()));
    let file = ServerFile { url: format!("http://{}", near(address)), pid: std::process::id() };
    let watch = watch(host, &file.url)?;
    let hooks = Some(local.hooks()?);
    let simulations = Some(Arc::new(Simulations::new(context.folder.path().to_owned())) as _);
    let workers = Some(local.workers());
    let services =
        Services { runs, board, components, backtests, simulations, access, replies, hooks, workers, watch };
    let announced = context.folder.announce(&file)?;
    if context.term.json {
        context.term.line(&file)?;
    } else {
        let folder = context.folder.path().display();
        context.term.out(&format!("listening on {}/v1, data in {folder}; Ctrl-C to end", file.url))?;
        if let Some(origin) = &options.origin {
            context.term.note(&format!("lockstep: browsers reach it at {origin}"));
        }
    }
    let state = AppState::new(services, options);
    lockstep_server::serve(listener, state, interrupted).await;
    drop(announced);
    Ok(Exit::Done)
}

/// What the server tells of the host; from here on those are told what happens who want to be.
fn watch(host: &Host, url: &str) -> anyhow::Result<Watch> {
    let Some(local) = host.local() else { return Ok(Watch::default()) };
    let config = &local.config().server;
    local.follow(config.origin.as_deref().unwrap_or(url))?;
    Ok(Watch {
        meter: local.metrics(),
        metrics: Some(local.metrics()),
        open_metrics: config.metrics == MetricsAccess::Open,
        readiness: Some(local.readiness()),
    })
}

/// The address under which this machine reaches `address`.
fn near(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
