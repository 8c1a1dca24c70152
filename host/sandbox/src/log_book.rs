use crate::limits::Limits;
use crate::state::Breach;
use lockstep_types::{LogLevel, LogLine};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes of a line of output; the rest of a longer one is the next line.
const LINE_BYTES_MAX: usize = 4096;

/// Lines of standard error that are looked through for the reason of a trap, the last ones.
const REASON_LINES_MAX: usize = 64;

/// Begins what Python says of an exception.
const TRACEBACK: &str = "Traceback ";

/// Kept where output is cut off.
const CUT_OFF: &str = "(what it wrote after this was not kept)";

/// The lines a call leaves: what it logged, and what it wrote to standard output and error, in the order of both.
#[derive(Clone)]
pub(crate) struct LogBook(Arc<Mutex<Book>>);

#[derive(Default)]
struct Book {
    lines: Vec<LogLine>,
    bytes: usize,
    lines_max: usize,
    bytes_max: usize,
    /// Begun and not yet ended, of standard output and of standard error.
    begun: [Vec<u8>; 2],
    is_cut_off: bool,
    /// The last lines of standard error, kept or not.
    last_errors: Vec<String>,
}

/// What a program writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    Standard,
    Error,
}

impl LogBook {
    pub(crate) fn new(limits: &Limits) -> Self {
        let (lines_max, bytes_max) = (limits.log_lines, limits.log_bytes);
        Self(Arc::new(Mutex::new(Book { lines_max, bytes_max, ..Book::default() })))
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a line the component logged.
    pub(crate) fn log(&self, level: LogLevel, message: String) -> Result<(), Breach> {
        self.book().keep(level, message)
    }

    /// Takes what the component wrote. A program that writes much is no fault: what goes over the limits is not kept.
    pub(crate) fn write(&self, output: Output, bytes: &[u8]) {
        let mut book = self.book();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            for piece in part.chunks(LINE_BYTES_MAX) {
                let begun = &mut book.begun[output as usize];
                begun.extend_from_slice(piece);
                if begun.len() >= LINE_BYTES_MAX || begun.ends_with(b"\n") {
                    book.end_line(output);
                }
            }
        }
    }

    /// The lines, in order, with those that were begun and not ended.
    pub(crate) fn into_lines(self) -> Vec<LogLine> {
        let mut book = self.book();
        book.end_line(Output::Standard);
        book.end_line(Output::Error);
        std::mem::take(&mut book.lines)
    }

    /// Why the component stopped itself, as far as it said: the line it logged last, if that was an error, or what it wrote
    /// to standard error.
    pub(crate) fn reason(&self) -> Option<String> {
        let mut book = self.book();
        book.end_line(Output::Error);
        if let Some(reason) = reason_of(&book.last_errors) {
            return Some(reason);
        }
        let last = book.lines.last().filter(|line| line.level == LogLevel::Error);
        last.map(|line| line.message.clone())
    }
}

impl Book {
    fn keep(&mut self, level: LogLevel, message: String) -> Result<(), Breach> {
        if self.lines.len() >= self.lines_max {
            return Err(Breach::LogLines { limit: self.lines_max });
        }
        let total = self.bytes + message.len();
        if total > self.bytes_max {
            return Err(Breach::LogBytes { limit: self.bytes_max });
        }
        self.bytes = total;
        self.lines.push(LogLine { level, message });
        Ok(())
    }

    fn end_line(&mut self, output: Output) {
        let begun = std::mem::take(&mut self.begun[output as usize]);
        let line = String::from_utf8_lossy(&begun);
        let line = line.trim_end();
        if line.is_empty() {
            return;
        }
        let level = match output {
            Output::Standard => LogLevel::Info,
            Output::Error => {
                if self.last_errors.len() >= REASON_LINES_MAX {
                    self.last_errors.remove(0);
                }
                self.last_errors.push(line.to_owned());
                LogLevel::Error
            }
        };
        // The last place is for the note that there was more.
        let has_room = self.lines.len() + 1 < self.lines_max
            && self.bytes + line.len() + CUT_OFF.len() <= self.bytes_max;
        if !self.is_cut_off && has_room {
            drop(self.keep(level, line.to_owned()));
        } else if !self.is_cut_off {
            self.is_cut_off = true;
            drop(self.keep(LogLevel::Warn, CUT_OFF.to_owned()));
        }
    }
}

/// What a runtime says on standard error before it stops: Rust begins with where it panicked, Python and JavaScript end
/// with the exception.
fn reason_of(lines: &[String]) -> Option<String> {
    let said: Vec<&str> =
        lines.iter().map(String::as_str).filter(|line| !line.starts_with("note: ")).collect();
    let panicked = said.iter().rposition(|line| line.contains("panicked at "));
    let before = &said[..panicked.unwrap_or(said.len())];
    // The runtime of Python panics too, and says then only that there was an exception.
    let has_exception = before.iter().any(|line| line.starts_with(TRACEBACK));
    match panicked {
        Some(at) if !has_exception => Some(said[at..].join(" ")),
        _ => before.last().map(|line| (*line).to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{LogBook, Output, reason_of};
    use crate::limits::Limits;
    use lockstep_types::LogLevel;

    fn shown(book: LogBook) -> Vec<String> {
        book.into_lines().iter().map(|line| format!("{:?} {}", line.level, line.message)).collect()
    }

    #[test]
    fn output_becomes_lines_in_order() {
        let book = LogBook::new(&Limits::default());
        book.write(Output::Standard, b"one\ntw");
        book.log(LogLevel::Debug, "logged".to_owned()).unwrap();
        book.write(Output::Error, b"wrong\n\n");
        book.write(Output::Standard, b"o\nthree");
        assert_eq!(shown(book), ["Info one", "Debug logged", "Error wrong", "Info two", "Info three"]);
    }

    #[test]
    fn output_over_the_limits_is_cut_off_and_errors_are_still_known() {
        let book = LogBook::new(&Limits { log_lines: 3, ..Limits::default() });
        book.write(Output::Standard, b"1\n2\n3\n4\n");
        book.write(Output::Error, b"thread panicked at x\n");
        assert_eq!(book.reason().as_deref(), Some("thread panicked at x"));
        assert_eq!(shown(book), ["Info 1", "Info 2", "Warn (what it wrote after this was not kept)"]);
    }

    #[test]
    fn the_reason_is_the_one_a_runtime_gives() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let rust = "before\nthread 'main' panicked at src/lib.rs:7:5:\nno such index\nnote: run with `RUST_BACKTRACE=1`";
        let python = "Traceback (most recent call last):\n  File \"app.py\", line 3\nValueError: no";
        let rust = reason_of(&lines(rust)).unwrap();
        assert_eq!(rust, "thread 'main' panicked at src/lib.rs:7:5: no such index");
        assert_eq!(reason_of(&lines(python)).unwrap(), "ValueError: no");
        let with_its_runtime = format!(
            "{python}\nthread '<unnamed>' (1) panicked at runtime/src/lib.rs:1:2:\nunexpected exception"
        );
        assert_eq!(reason_of(&lines(&with_its_runtime)).unwrap(), "ValueError: no");
        assert_eq!(reason_of(&[]), None);
    }
}
