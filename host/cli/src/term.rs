//! The only way to stdout and stderr: results to the one, progress and errors to the other.

use crate::render::{Style, clean};
use serde::Serialize;
use std::io::{self, ErrorKind, IsTerminal, Write};

/// Whoever read stdout went away: there is nothing more to do, and nothing to say about it.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads the output any more")]
pub(crate) struct Closed;

/// Where a command shows what it has to show.
#[derive(Clone)]
pub(crate) struct Term {
    /// Whether to write JSON.
    pub(crate) json: bool,
    /// How lines for people look.
    pub(crate) style: Style,
}

impl Term {
    pub(crate) fn of_process(json: bool) -> Self {
        let has = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let colour = !json && io::stdout().is_terminal() && !has("NO_COLOR") && !dumb;
        Self { json, style: Style::new(colour, jiff::tz::TimeZone::system()) }
    }

    /// Writes result text to stdout, with a line end if it has none.
    pub(crate) fn out(&self, text: &str) -> anyhow::Result<()> {
        let mut stdout = io::stdout().lock();
        let end = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
        let written = write!(stdout, "{text}{end}").and_then(|()| stdout.flush());
        written.map_err(|error| match error.kind() {
            ErrorKind::BrokenPipe => Closed.into(),
            _ => anyhow::Error::new(error).context("stdout cannot be written"),
        })
    }

    /// Writes one JSON document to stdout.
    pub(crate) fn document(&self, value: &impl Serialize) -> anyhow::Result<()> {
        self.out(&serde_json::to_string_pretty(value)?)
    }

    /// Writes one line of a JSON stream to stdout.
    pub(crate) fn line(&self, value: &impl Serialize) -> anyhow::Result<()> {
        self.out(&serde_json::to_string(value)?)
    }

    /// Writes `value` as a document, or what `render` makes of it for people.
    pub(crate) fn show<T: Serialize>(
        &self,
        value: &T,
        render: impl FnOnce(&Style, &T) -> String,
    ) -> anyhow::Result<()> {
        if self.json { self.document(value) } else { self.out(&render(&self.style, value)) }
    }

    /// Says something beside the result.
    pub(crate) fn note(&self, text: &str) {
        // Without a stderr there is nobody to tell.
        writeln!(io::stderr().lock(), "{text}").unwrap_or_default();
    }

    /// Shows how far something has come, on a line that the next one replaces; none takes it away. Only a terminal is
    /// shown it.
    pub(crate) fn progress(&self, text: Option<&str>) {
        if self.json || !io::stderr().is_terminal() {
            return;
        }
        let text = text.unwrap_or_default();
        // Without a stderr there is nobody to tell.
        write!(io::stderr().lock(), "\r\u{1b}[K{text}").unwrap_or_default();
    }

    /// Says what went wrong.
    pub(crate) fn error(&self, text: &str) {
        self.note(&format!("lockstep: {}", clean(text)));
    }
}
