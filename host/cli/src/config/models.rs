use super::SecretSource;
use lockstep_ports::Secret;
use lockstep_providers::{KeySource, ModelOptions, Structured};
use serde::Deserialize;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

/// Seconds one answer may take: the slowest models think for a quarter of an hour.
const TIMEOUT_S: RangeInclusive<u64> = 1..=3600;
/// Questions under way at once: each holds a connection and its answer.
const PARALLEL: RangeInclusive<usize> = 1..=64;
/// What endpoints accept.
const TEMPERATURE: RangeInclusive<f64> = 0.0..=2.0;

/// A section `[models.NAME]`: a model at an endpoint that speaks OpenAI's chat completions.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModelConfig {
    /// Address of the endpoint up to its version: `https://api.openai.com/v1`.
    url: String,
    /// Name of the model there.
    model: String,
    /// What it is asked with.
    key: Option<SecretSource>,
    /// How long one answer may take.
    timeout_s: Option<u64>,
    /// Tokens of an answer.
    max_output_tokens: Option<u32>,
    /// What the endpoint calls that limit.
    #[serde(default)]
    limit_field: LimitField,
    /// How freely it answers.
    temperature: Option<f64>,
    /// How it holds its model to a schema.
    #[serde(default)]
    structured: StructuredConfig,
    /// Questions under way at once.
    parallel: Option<usize>,
    /// Whether it may be spoken to without TLS beyond this machine.
    #[serde(default)]
    allow_plain: bool,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum LimitField {
    #[default]
    MaxCompletionTokens,
    /// Of older endpoints.
    MaxTokens,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum StructuredConfig {
    #[default]
    JsonSchema,
    JsonObject,
    None,
}

impl ModelConfig {
    pub(super) fn check(&self, name: &str) -> Result<(), String> {
        let wrong = |field: &str, says: String| Err(format!(" `{field}` of [models.{name}] {says}"));
        // The name is the beginning of what the model is priced by.
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        {
            return Err(format!(" the name of [models.{name}] takes letters, digits, -, _ and ."));
        }
        match self {
            _ if self.model.trim().is_empty() => wrong("model", "is empty".to_owned()),
            Self { timeout_s: Some(time), .. } if !TIMEOUT_S.contains(time) => {
                wrong("timeout_s", format!("is {time}: use {} to {}", TIMEOUT_S.start(), TIMEOUT_S.end()))
            }
            Self { parallel: Some(count), .. } if !PARALLEL.contains(count) => {
                wrong("parallel", format!("is {count}: use {} to {}", PARALLEL.start(), PARALLEL.end()))
            }
            Self { temperature: Some(heat), .. } if !TEMPERATURE.contains(heat) => {
                wrong("temperature", format!("is {heat}: use 0 to 2"))
            }
            Self { max_output_tokens: Some(0), .. } => {
                wrong("max_output_tokens", "is 0: use 1 or more".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// The same for the providers. The key is read when it is needed: a command that asks no model needs none.
    pub(crate) fn options(self) -> ModelOptions {
        let key = self.key.map(|source| -> KeySource {
            Arc::new(move || source.read().map_err(|error| format!("{error:#}")) as Result<Secret, String>)
        });
        let mut options = ModelOptions::new(self.url, self.model);
        options.key = key;
        options.time = self.timeout_s.map_or(options.time, Duration::from_secs);
        (options.max_output_tokens, options.temperature) = (self.max_output_tokens, self.temperature);
        options.limit_field = match self.limit_field {
            LimitField::MaxCompletionTokens => "max_completion_tokens".to_owned(),
            LimitField::MaxTokens => "max_tokens".to_owned(),
        };
        options.structured = match self.structured {
            StructuredConfig::JsonSchema => Structured::JsonSchema,
            StructuredConfig::JsonObject => Structured::JsonObject,
            StructuredConfig::None => Structured::None,
        };
        (options.parallel, options.allow_plain) =
            (self.parallel.unwrap_or(options.parallel), self.allow_plain);
        options
    }
}
