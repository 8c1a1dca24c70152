//! Jobs that a model answers, at any endpoint that speaks OpenAI's chat completions.
//!
//! A model is asked once, and once more if its report does not fit. Each answer is stored before anything follows from it,
//! so that a host that is killed does not ask again what was answered; one that is killed between answer and store does.

mod conversation;

use super::job_folder::{JobFolder, context_document};
use super::{Active, LocalJobs, Lost, new_record, not_configured, stopped};
use crate::files::{blocking, read_json, write_durably, write_json};
use crate::http::{Http, HttpError, HttpFault, HttpOptions, HttpRequest, Retry};
use crate::mask::Mask;
use crate::supervisor::{LOG_KEPT, TailLog};
use conversation::{Completion, Next, Question, Round, format_of, next, used};
use lockstep_ports::{Meter, NoMeter, Secret, Workspace as _};
use lockstep_types::{JobCommand, JobOrder, JobOutcome, JobResult};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Bytes of an answer that are read: a report may have one of them, as that of a command.
const ANSWER_MAX: usize = 2 << 20;
/// Files of a change whose differences are looked at.
const DIFFS_MAX: usize = 200;

/// Gives the key of an endpoint when it is needed; the error is one line and names no secret.
pub type KeySource = Arc<dyn Fn() -> Result<Secret, String> + Send + Sync>;

/// How an endpoint holds its model to a schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Structured {
    /// It takes the schema itself.
    #[default]
    JsonSchema,
    /// It sees to it that the answer is JSON.
    JsonObject,
    /// It does neither: the model is only told.
    None,
}

/// A model at an endpoint.
#[derive(Clone)]
pub struct ModelOptions {
    /// Address of the endpoint up to its version: `https://api.openai.com/v1`.
    pub url: String,
    /// Name of the model there.
    pub model: String,
    /// What it is asked with; none: it takes anybody.
    pub key: Option<KeySource>,
    /// How long one answer may take.
    pub time: Duration,
    /// Tokens of an answer; none: the endpoint's own limit.
    pub max_output_tokens: Option<u32>,
    /// What the endpoint calls that limit.
    pub limit_field: String,
    /// How freely it answers; none: the endpoint's own.
    pub temperature: Option<f64>,
    /// How it is held to a schema.
    pub structured: Structured,
    /// Questions under way at once.
    pub parallel: usize,
    /// Whether it may be spoken to without TLS beyond this machine.
    pub allow_plain: bool,
    /// When a question is asked again that was not answered.
    pub retry: Retry,
    /// Counts every request.
    pub meter: Arc<dyn Meter>,
}

impl ModelOptions {
    /// A model with what does for most.
    #[must_use]
    pub fn new(url: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            model: model.into(),
            key: None,
            time: Duration::from_mins(5),
            max_output_tokens: None,
            limit_field: "max_completion_tokens".to_owned(),
            temperature: None,
            structured: Structured::default(),
            parallel: 4,
            allow_plain: false,
            // The time of the job ends it; a limit by the minute may have to be waited for twice.
            retry: Retry { attempts: 8, first: Duration::from_secs(1), longest: Duration::from_mins(5) },
            meter: NoMeter::shared(),
        }
    }
}

impl fmt::Debug for ModelOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelOptions")
            .field("url", &self.url)
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

/// The models of a host, by the names jobs have for them.
#[derive(Debug, Default)]
pub struct Models(BTreeMap<String, Endpoint>);

#[derive(Debug)]
struct Endpoint {
    /// `NAME:model`, by which it is priced.
    shown: String,
    options: ModelOptions,
    http: Http,
    places: Semaphore,
}

impl Models {
    /// Adds a model under a name.
    ///
    /// # Errors
    /// Its address is none, or would be spoken to without TLS.
    pub fn add(&mut self, name: &str, options: ModelOptions) -> Result<(), HttpError> {
        let mut of_http = HttpOptions::new("model", options.url.clone());
        (of_http.allow_plain, of_http.answer_max) = (options.allow_plain, ANSWER_MAX);
        (of_http.time, of_http.retry) = (options.time, options.retry);
        of_http.meter = Arc::clone(&options.meter);
        let http = Http::new(of_http)?;
        let (shown, places) = (format!("{name}:{}", options.model), Semaphore::new(options.parallel.max(1)));
        self.0.insert(name.to_owned(), Endpoint { shown, options, http, places });
        Ok(())
    }

    fn names(&self) -> String {
        let names: Vec<&str> = self.0.keys().map(String::as_str).collect();
        if names.is_empty() { "none is".to_owned() } else { format!("there are {}", names.join(", ")) }
    }
}

/// A question under way.
struct Asking<'a> {
    endpoint: &'a Endpoint,
    folder: &'a JobFolder,
    key: Option<Secret>,
    mask: Mask,
}

impl LocalJobs {
    /// Has a model answer a job, and gives its outcome.
    pub(super) async fn by_model(
        &self,
        order: &JobOrder,
        command: &JobCommand,
        model: &str,
        folder: &JobFolder,
        active: &Active,
    ) -> Result<JobOutcome, Lost> {
        let Some(models) = &self.models else { return Ok(not_configured(&order.kind)) };
        let Some(endpoint) = models.0.get(model) else {
            return Ok(JobOutcome::NotConfigured(format!(
                "{}: no model {model} is configured ({}): add [models.{model}] to config.toml of the data folder",
                order.kind,
                models.names()
            )));
        };
        let repository = self.git.open(&order.context.change.repository).await?;
        let record = match folder.record()? {
            Some(record) => record,
            None => new_record(order, &repository).await?,
        };
        self.keep(folder, &record).await?;
        let key = match endpoint.options.key.as_ref().map(|key| key()).transpose() {
            Ok(key) => key,
            Err(line) => return Ok(JobOutcome::Failed(format!("{}: model {model}: {line}", order.kind))),
        };
        let mask = Mask::new(key.iter().map(|key| key.expose().to_owned()));
        let asking = Asking { endpoint, folder, key, mask };
        let limit = self.time_limit(order, Some(command));
        let mut stop = active.stop.subscribe();
        let ended = tokio::select! {
            ended = tokio::time::timeout(limit, self.converse(order, command, &asking)) => ended,
            _ = stop.wait_for(|stop| *stop) => return Ok(stopped()),
        };
        let answered = match ended {
            Ok(answered) => answered?,
            Err(_) => {
                Err(format!("it did not answer within the job's time limit of {} s", limit.as_secs_f64()))
            }
        };
        let rounds = asking.rounds()?;
        let (model, usage) = (endpoint.shown.clone(), used(&rounds));
        let outcome = match (answered, usage) {
            (Ok((output, report)), usage) => {
                let result = JobResult { output, report, model: Some(model), usage, ..JobResult::default() };
                JobOutcome::Done(self.with_tip(&repository, &record, result).await?)
            }
            (Err(line), Some(usage)) => {
                let message = format!("{}: model {model}: {line}", order.kind);
                JobOutcome::FailedAfterUse { message, model, usage }
            }
            (Err(line), None) => JobOutcome::Failed(format!("{}: model {model}: {line}", order.kind)),
        };
        Ok(asking.mask.outcome(outcome))
    }

    /// Asks until there is an answer, or a line that says why there is none.
    async fn converse(
        &self,
        order: &JobOrder,
        command: &JobCommand,
        asking: &Asking<'_>,
    ) -> Result<Result<(String, Option<lockstep_types::JsonText>), String>, Lost> {
        let context = context_document(&order.context).map_err(std::io::Error::from)?;
        let diffs = if command.diff { self.diffs(order).await } else { Vec::new() };
        let question = Question {
            instructions: command.instructions.as_deref(),
            kind: &order.kind,
            schema: command.schema.as_ref(),
            context: &context,
            diffs: &diffs,
        };
        loop {
            let mut rounds = asking.rounds()?;
            let messages = match next(&question, &rounds) {
                Next::Done { output, report } => return Ok(Ok((output, report))),
                Next::Failed(line) => return Ok(Err(line)),
                Next::Ask(messages) => messages,
            };
            asking.tell(if rounds.is_empty() { "asks" } else { "has its answer repaired by" }).await;
            let round = match asking.ask(&messages, command.schema.as_ref()).await {
                Ok(round) => round,
                Err(line) => return Ok(Err(line)),
            };
            asking.note(&round).await;
            rounds.push(round);
            asking.keep(rounds).await?;
        }
    }

    /// How the files of the change differ; those that cannot be shown are left out.
    async fn diffs(&self, order: &JobOrder) -> Vec<(String, String)> {
        let change = &order.context.change;
        let files = self.git.changed_files(change).await.unwrap_or_default();
        let mut diffs = Vec::new();
        for file in files.into_iter().take(DIFFS_MAX) {
            if let Ok(Some(diff)) = self.git.diff(change, &file.path).await {
                diffs.push((file.path, diff));
            }
        }
        diffs
    }
}

impl Asking<'_> {
    fn rounds(&self) -> std::io::Result<Vec<Round>> {
        Ok(read_json(&self.folder.rounds())?.unwrap_or_default())
    }

    async fn keep(&self, mut rounds: Vec<Round>) -> std::io::Result<()> {
        for round in &mut rounds {
            let masked =
                |text: &String| String::from_utf8_lossy(&self.mask.whole(text.as_bytes())).into_owned();
            round.content = round.content.as_ref().map(masked);
        }
        let path = self.folder.rounds();
        blocking(move || write_json(&path, &rounds)).await
    }

    /// One question, asked again while the endpoint is not to be had. The error is one line.
    async fn ask(&self, messages: &[Value], schema: Option<&Value>) -> Result<Round, String> {
        let Endpoint { options, http, places, .. } = self.endpoint;
        let _place = places.acquire().await.map_err(|_| "the host goes down".to_owned())?;
        let mut body = json!({ "model": options.model, "messages": messages, "stream": false });
        if let Some(format) = format_of(options.structured, schema) {
            body["response_format"] = format;
        }
        if let Some(limit) = options.max_output_tokens {
            body[options.limit_field.as_str()] = limit.into();
        }
        if let Some(temperature) = options.temperature {
            body["temperature"] = temperature.into();
        }
        let mut request = HttpRequest::post("chat/completions").json(&body).repeatable();
        if let Some(key) = &self.key {
            request = request.secret("authorization", &format!("Bearer {}", key.expose()));
        }
        let answer = http.send(&request).await.and_then(crate::http::HttpResponse::ok);
        let answer = answer.map_err(|error| advised(&error, &self.endpoint.shown))?;
        let completion: Completion = answer.json().map_err(|error| error.to_string())?;
        Ok(completion.round())
    }

    /// Says, to who looks, what is under way.
    async fn tell(&self, does: &str) {
        let text = json!({ "label": format!("{does} {}", self.endpoint.shown) }).to_string();
        let path = self.folder.progress_file();
        drop(blocking(move || write_durably(&path, text.as_bytes())).await);
    }

    /// Adds a round to the log of the job.
    async fn note(&self, round: &Round) {
        let usage = round.usage.unwrap_or_default();
        let said = round.content.as_deref().unwrap_or("(nothing)");
        let fault = round.fault.as_ref().map(|fault| format!(" ({fault})")).unwrap_or_default();
        let text = format!(
            "{} answered{fault}, {} + {} tokens:\n{said}\n",
            self.endpoint.shown, usage.input_tokens, usage.output_tokens
        );
        let (bytes, path) = (self.mask.whole(text.as_bytes()), self.folder.launch.log());
        let logged = blocking(move || {
            TailLog::new(path, LOG_KEPT).append(&bytes);
            Ok(())
        });
        drop(logged.await);
    }
}

/// What went wrong, with what to do about it.
fn advised(error: &HttpError, shown: &str) -> String {
    let name = shown.split(':').next().unwrap_or_default();
    let advice = match &error.fault {
        HttpFault::Status { status: 401 | 403, is_throttled: false, .. } => {
            format!(": check `key` of [models.{name}]")
        }
        HttpFault::Status { status: 404, .. } => format!(": check `url` and `model` of [models.{name}]"),
        HttpFault::Status { status: 400 | 422, .. } => {
            format!(": check `structured`, `limit_field` and `temperature` of [models.{name}]")
        }
        HttpFault::Timeout(_) => format!(": retry the step, or raise `timeout_s` of [models.{name}]"),
        _ if error.is_temporary() => ": retry the step when it is back".to_owned(),
        _ => String::new(),
    };
    let text = error.to_string();
    format!("its endpoint{}{advice}", text.strip_prefix("model").unwrap_or(&text))
}
