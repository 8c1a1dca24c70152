use super::dirs::snapshot;
use crate::args::GrantArgs;
use crate::commands::with_components;
use crate::context::Context;
use crate::exit::Refused;
use crate::render;
use lockstep_ports::{ComponentService, GrantRequest};
use lockstep_types::{DirGrant, DirSnapshot, Grant};
use std::path::Path;

pub(super) async fn grant(context: &Context, args: GrantArgs) -> anyhow::Result<()> {
    let GrantArgs { kind, import, job, effect, dir, revoke, force, reason } = args;
    let mut grant = Grant { imports: import, jobs: job, effects: effect, dirs: Vec::new() };
    if revoke && grant == Grant::default() && dir.is_empty() {
        return Refused::because("say what is taken away: --import, --job, --effect or --dir");
    }
    // Before anything is asked of the host: a folder that cannot be read changes nothing.
    let read = if revoke { Vec::new() } else { read(&dir)? };
    let view = with_components(context, "component grant", async |service| {
        grant.dirs =
            if revoke { granted(&*service, &kind, &dir).await? } else { keep(&*service, read).await? };
        let request = GrantRequest { grant, revoke, force, by: Some(context.by.clone()), reason };
        Ok(service.grant(&kind, request).await?)
    });
    context.term.show(&view.await?, render::kind_grant)
}

/// The folders of `PATH=FOLDER`, each with the path it is granted at.
fn read(dirs: &[String]) -> anyhow::Result<Vec<(String, DirSnapshot)>> {
    let read = |dir: &String| match dir.split_once('=') {
        Some((path, folder)) => Ok((path.to_owned(), snapshot(Path::new(folder))?)),
        None => Refused::because(format!("--dir {dir} names no folder: give it as --dir /data=FOLDER")),
    };
    dirs.iter().map(read).collect()
}

async fn keep(
    service: &dyn ComponentService,
    read: Vec<(String, DirSnapshot)>,
) -> anyhow::Result<Vec<DirGrant>> {
    let mut dirs = Vec::new();
    for (path, snapshot) in read {
        dirs.push(DirGrant { path, digest: service.keep_dir(snapshot.encode()).await? });
    }
    Ok(dirs)
}

/// What is granted at these paths now.
async fn granted(
    service: &dyn ComponentService,
    kind: &str,
    paths: &[String],
) -> anyhow::Result<Vec<DirGrant>> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let granted = service.kind(kind).await?.grant.dirs;
    let mut dirs = Vec::new();
    for path in paths {
        match granted.iter().find(|dir| dir.path == *path) {
            Some(dir) => dirs.push(dir.clone()),
            None => return Refused::because(format!("kind {kind} is granted no directory at {path}")),
        }
    }
    Ok(dirs)
}
