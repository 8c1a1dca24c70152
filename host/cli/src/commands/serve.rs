use super::run::interrupted;
use crate::args::ServeArgs;
use crate::context::Context;
use crate::data::ServerFile;
use crate::exit::{Exit, Refused};
use crate::host::Host;
use crate::standard;
use crate::wiring::Retention;
use lockstep_server::{AppState, Options, ServeError, Services};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
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
    let result = listen(context, &host, listener, args.allow_remote, interrupted).await;
    host.close().await;
    result
}

async fn listen(
    context: &Context,
    host: &Host,
    listener: TcpListener,
    allow_remote: bool,
    interrupted: impl Future<Output = ()>,
) -> anyhow::Result<Exit> {
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        context.term.note(&format!(
            "lockstep: warning: {address} can be reached from other machines, without encryption; \
             whoever has the token can run commands here"
        ));
    }
    standard::require(&*host.components()).await?;
    let token = context.folder.token_or_new()?;
    let file = ServerFile { url: format!("http://{}", near(address)), pid: std::process::id() };
    let announced = context.folder.announce(&file)?;
    if context.term.json {
        context.term.line(&file)?;
    } else {
        let folder = context.folder.path().display();
        context.term.out(&format!("listening on {}/v1, data in {folder}; Ctrl-C to end", file.url))?;
    }
    let services = Services {
        runs: host.service(),
        board: host.board(),
        components: host.components(),
        backtests: host.backtests(),
        workers: host.workers(),
    };
    let state = AppState::new(services, Options { token, allow_remote });
    lockstep_server::serve(listener, state, interrupted).await;
    drop(announced);
    Ok(Exit::Done)
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
