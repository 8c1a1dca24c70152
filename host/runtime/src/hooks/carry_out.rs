//! Does what follows from an event.

use super::Hooks;
use super::known::{Carrier, Sought};
use crate::actor::{self, LiveRun};
use lockstep_engine::Recorded;
use lockstep_hooks::{ForgeEvent, Happened, Reaction, react};
use lockstep_ports::{RunAction, RunService, ServiceError};
use lockstep_types::{Answer, Input, NewNotice, RunId, Severity};

/// What became of an event.
pub(super) enum Followed {
    /// Something followed.
    Done(String),
    /// Nothing did, on purpose.
    Nothing(String),
    /// It is looked at again.
    Later(String),
}

impl Hooks {
    /// Takes up one event; `from` names what told of it.
    pub(super) async fn take_up(&self, event: &ForgeEvent, from: &str) -> Result<Followed, ServiceError> {
        let Some(repository) = self.options.forge.clone_of(&event.repository) else {
            let text = format!("{} is no [[repository]] of config.toml", event.repository);
            return Ok(Followed::Nothing(text));
        };
        self.take_up_in(&repository, event, from).await
    }

    /// The same in a clone that is known.
    pub(super) async fn take_up_in(
        &self,
        repository: &str,
        event: &ForgeEvent,
        from: &str,
    ) -> Result<Followed, ServiceError> {
        let mut carrier = self.carrier(Sought::of(event, repository)).await?;
        if moves_head(&event.happened)
            && let Some(Carrier { known, recorded: Some(recorded), .. }) = &mut carrier
            && let Some(run) = &mut known.run
        {
            self.look_at_tip(run, recorded).await?;
        }
        let known = carrier.as_ref().map(|carrier| &carrier.known);
        match react(event, known, from, &self.rules) {
            Reaction::Nothing(why) => Ok(Followed::Nothing(why)),
            Reaction::Later(why) => Ok(Followed::Later(why)),
            Reaction::Start { pipeline } => {
                self.start(event, repository, carrier.as_ref(), pipeline, from).await
            }
            reaction => match carrier.and_then(|carrier| carrier.recorded) {
                Some(recorded) => self.on_run(&recorded, reaction, event, from).await.map(Followed::Done),
                None => Ok(Followed::Nothing("there is no run".to_owned())),
            },
        }
    }

    async fn on_run(
        &self,
        recorded: &Recorded,
        reaction: Reaction,
        event: &ForgeEvent,
        from: &str,
    ) -> Result<String, ServiceError> {
        let run = &recorded.run.spec().id;
        let by = person(event);
        match reaction {
            Reaction::Wake => {
                self.wake(run).await;
                Ok(format!("{run} looks again"))
            }
            Reaction::Restart { step, mark } => {
                let head_commit = self.tip(recorded).await?;
                let text = format!("{run} goes back to {step}");
                let input = Input::SendBack { steps: vec![step], feedback: None, head_commit, by: mark.by() };
                self.runtime.send(run, input).await.map(|_| text)
            }
            Reaction::Rework { step, feedback, mark } => {
                let head_commit = self.tip(recorded).await?;
                let text = format!("{step} of {run} does its work again");
                let (steps, feedback) = (vec![step], Some(feedback));
                let input = Input::SendBack { steps, feedback, head_commit, by: mark.by() };
                self.runtime.send(run, input).await.map(|_| text)
            }
            Reaction::Renew { steps, head, mark } => {
                let text = match steps.as_slice() {
                    [] => format!("{run} stands for {head} now"),
                    steps => format!("{run} begins again with {} at {head}", steps.join(", ")),
                };
                let input = Input::SendBack { steps, feedback: None, head_commit: Some(head), by: mark.by() };
                self.runtime.send(run, input).await.map(|_| text)
            }
            Reaction::Card { kind, title, body } => {
                let text = format!("a person is told: {title}");
                let card = NewNotice { kind, severity: Severity::Normal, title, body };
                self.runtime.send(run, Input::Raise(card)).await.map(|_| text)
            }
            Reaction::Stop { reason } => self
                .runtime
                .act(run, RunAction::Stop { reason }, &by)
                .await
                .map(|_| format!("{run} was stopped")),
            Reaction::Retry => {
                self.runtime.act(run, RunAction::Retry, &by).await.map(|_| format!("{run} goes on"))
            }
            Reaction::Approve => self.approve(recorded, &by, from).await,
            Reaction::Merged => self.merged(recorded, by).await,
            Reaction::Start { .. } | Reaction::Later(_) | Reaction::Nothing(_) => Ok(String::new()),
        }
    }

    async fn wake(&self, run: &RunId) {
        let sender = self.runtime.shared.live.lock().await.get(run).map(LiveRun::sender);
        if let Some(sender) = sender {
            actor::poke(&sender);
        }
    }

    /// Approves the one open question, unless this very comment has approved one.
    async fn approve(&self, recorded: &Recorded, by: &str, from: &str) -> Result<String, ServiceError> {
        let run = &recorded.run.spec().id;
        if recorded.run.answers().iter().any(|answer| answer.token.as_deref() == Some(from)) {
            return Ok(format!("{run} was approved before"));
        }
        let (answer, token) = (Answer::Approve { proposal: None }, Some(from.to_owned()));
        let action = RunAction::Answer { question: None, answer, token };
        self.runtime.act(run, action, by).await.map(|_| format!("{run} was approved"))
    }

    /// What others merged is on the base branch, from which the next changes are made.
    async fn merged(&self, recorded: &Recorded, by: String) -> Result<String, ServiceError> {
        let (run, change) = (&recorded.run.spec().id, recorded.run.change());
        if let Err(error) = self.options.forge.fetch(&change.repository, &change.base_branch).await {
            tracing::debug!(%run, ?error, "the base branch is not brought forward");
        }
        let text = format!("{} is done", recorded.run.spec().item);
        self.runtime.send(run, Input::MergedOutside { by }).await.map(|_| text)
    }
}

/// As whom somebody of the forge acts. The prefix keeps them apart from people of this host.
pub(super) fn person(event: &ForgeEvent) -> String {
    format!("github:{}", event.sender)
}

fn moves_head(happened: &Happened) -> bool {
    matches!(happened, Happened::Synchronised { .. } | Happened::Pushed { head: Some(_), .. })
}
