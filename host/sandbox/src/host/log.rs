use super::{Breach, HostState};
use crate::contract::{log, types};
use lockstep_types::{LogLevel, LogLine};

impl log::Host for HostState {
    fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        let level = match level {
            log::Level::Debug => LogLevel::Debug,
            log::Level::Info => LogLevel::Info,
            log::Level::Warn => LogLevel::Warn,
            log::Level::Error => LogLevel::Error,
        };
        let (lines, bytes) = (self.limits().log_lines, self.limits().log_bytes);
        if self.record.logs.len() >= lines {
            return Err(Breach::LogLines { limit: lines }.into());
        }
        let total = self.log_bytes + message.len();
        if total > bytes {
            return Err(Breach::LogBytes { limit: bytes }.into());
        }
        self.log_bytes = total;
        self.record.logs.push(LogLine { level, message });
        Ok(())
    }
}

impl types::Host for HostState {}
