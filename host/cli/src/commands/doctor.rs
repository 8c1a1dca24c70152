use crate::context::Context;
use crate::doctor::{self, State};
use crate::exit::Exit;
use crate::render;

/// `lockstep doctor`
pub(super) async fn doctor(context: &Context) -> anyhow::Result<Exit> {
    let checks = doctor::examine(context).await;
    context.term.show(&checks, |style, checks| render::doctor::checks(style, checks.as_slice()))?;
    let worst = checks.iter().map(|check| check.state).max();
    Ok(if worst == Some(State::Failed) { Exit::Failed } else { Exit::Done })
}
