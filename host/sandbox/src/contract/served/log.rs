use super::bindings::{log, types};
use crate::state::HostState;
use lockstep_types::LogLevel;

impl log::Host for HostState {
    fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        let level = match level {
            log::Level::Debug => LogLevel::Debug,
            log::Level::Info => LogLevel::Info,
            log::Level::Warn => LogLevel::Warn,
            log::Level::Error => LogLevel::Error,
        };
        Ok(self.keep_line(level, message)?)
    }
}

impl types::Host for HostState {}
