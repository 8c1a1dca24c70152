//! Starts a run of a pull request, whose item is made if there is none.

use super::Hooks;
use super::carry_out::{Followed, person};
use super::known::Carrier;
use crate::board::{Desk, Starting};
use crate::service::{change_source, rejected};
use lockstep_board::{Board, ItemRecord};
use lockstep_hooks::{ForgeEvent, SeenPullRequest};
use lockstep_ports::{ServiceError, StartItem};
use lockstep_types::board::{Change, Item, ItemId, ItemPatch, PipelineId};
use lockstep_types::{ItemLevel, ObserveFailure, PullRequest, Rejected};
use std::sync::Arc;

impl Hooks {
    pub(super) async fn start(
        &self,
        event: &ForgeEvent,
        repository: &str,
        carrier: Option<&Carrier>,
        pipeline: Option<String>,
        from: &str,
    ) -> Result<Followed, ServiceError> {
        let on = match event.happened.pull_request() {
            Some(on) => on.clone(),
            None => match self.ask_for(event, repository).await? {
                Some(on) => on,
                None => return Ok(Followed::Nothing("there is no such pull request".to_owned())),
            },
        };
        let Some(head) = on.head_branch.clone().filter(|_| on.is_open) else {
            let why = "its branch is in a fork or it is closed: nothing here works on it";
            return Ok(Followed::Nothing(why.to_owned()));
        };
        let desk = match carrier.and_then(|carrier| carrier.place.as_ref()) {
            Some((desk, _)) => Arc::clone(desk),
            None => self.desk_of(repository)?,
        };
        let pipeline = pipeline.or_else(|| self.options.pipeline.clone());
        let pipeline = pipeline.map(|name| desk.read(|board| pipeline_named(board, &name))).transpose()?;
        for branch in [&head, &on.base_branch] {
            self.bring_forward(repository, branch).await?;
        }
        // Before anything is made for it.
        let changes = &self.runtime.shared.outside.changes;
        changes.resolve(repository, &head, Some(&on.base_branch)).await.map_err(change_source)?;
        let item = match carrier.and_then(|carrier| carrier.place.as_ref()) {
            Some((_, item)) => item.clone(),
            None => self.make_item(&desk, repository, &on, &head).await?,
        };
        let asked = StartItem {
            pipeline,
            branch: Some(head),
            by: Some(person(event)),
            token: Some(format!("github #{} of {repository} ({from})", on.number)),
            ..StartItem::default()
        };
        let starting = Starting { item: item.clone(), asked, fired: None };
        let run = self.runtime.start_on_board(desk, starting).await?;
        Ok(Followed::Done(format!("{item} runs as {}", run.id)))
    }

    async fn ask_for(
        &self,
        event: &ForgeEvent,
        repository: &str,
    ) -> Result<Option<SeenPullRequest>, ServiceError> {
        let Some(number) = event.happened.number() else { return Ok(None) };
        match self.options.forge.pull_request(repository, number).await {
            Ok(found) => Ok(found.as_ref().map(SeenPullRequest::from)),
            Err(ObserveFailure::NotConfigured) => Err(ServiceError::Invalid(format!(
                "pull request #{number} cannot be looked up: give [github] of config.toml a token, or use the label"
            ))),
            Err(ObserveFailure::Failed(why)) => Err(ServiceError::Unavailable(why)),
        }
    }

    async fn bring_forward(&self, repository: &str, branch: &str) -> Result<(), ServiceError> {
        match self.options.forge.fetch(repository, branch).await {
            // What the clone has is what there is.
            Ok(_) | Err(ObserveFailure::NotConfigured) => Ok(()),
            Err(ObserveFailure::Failed(why)) => Err(ServiceError::Unavailable(why)),
        }
    }

    /// The board that has a service of this repository.
    fn desk_of(&self, repository: &str) -> Result<Arc<Desk>, ServiceError> {
        let mut desks = self.runtime.shared.boards.all().into_iter();
        let found = desks.find(|desk| desk.read(|board| service_with(board, repository).is_some()));
        found.ok_or_else(|| {
            ServiceError::Invalid(format!(
                "no service has the repository {repository}: add one with `lockstep items add NAME --level service --repo {repository}`, then replay this"
            ))
        })
    }

    /// Makes the item of a pull request, unless somebody made one meanwhile.
    async fn make_item(
        &self,
        desk: &Arc<Desk>,
        repository: &str,
        on: &SeenPullRequest,
        head: &str,
    ) -> Result<ItemId, ServiceError> {
        let writer = desk.writer().await;
        let now = self.runtime.shared.outside.clock.now();
        let made = desk.read(|board| {
            let service = service_with(board, repository)
                .ok_or_else(|| Rejected::NotFound(format!("no service has the repository {repository}")))?;
            let text = |text: &str| Some(Some(text.to_owned()));
            let patch = ItemPatch {
                title: Some(on.title.clone()),
                description: Some(on.body.clone()),
                head_branch: text(head),
                base_branch: text(&on.base_branch),
                ..ItemPatch::default()
            };
            let (id, mut changes) = board.create_item(ItemLevel::Task, Some(&service.id), patch, now)?;
            let mut next = board.clone();
            next.apply(&changes);
            let (url, number) = (on.url.clone(), Some(on.number));
            let pull_request = Some(PullRequest { url, number, branch: Some(head.to_owned()) });
            changes.extend(next.record(&id, ItemRecord { pull_request, ..ItemRecord::default() }, now)?);
            Ok::<(ItemId, Vec<Change>), Rejected>((id, changes))
        });
        let (id, changes) = made.map_err(rejected)?;
        self.runtime.write(&writer, &changes).await?;
        Ok(id)
    }
}

fn service_with<'b>(board: &'b Board, repository: &str) -> Option<&'b Item> {
    let is_it = |item: &&Item| {
        item.level == ItemLevel::Service && !item.archived && item.repository.as_deref() == Some(repository)
    };
    board.items().find(is_it)
}

fn pipeline_named(board: &Board, name: &str) -> Result<PipelineId, ServiceError> {
    let found = board.pipelines().find(|pipeline| pipeline.name.eq_ignore_ascii_case(name));
    found.map(|pipeline| pipeline.id.clone()).ok_or_else(|| {
        ServiceError::Invalid(format!("there is no pipeline {name:?}: see `lockstep pipelines list`"))
    })
}
