//! What the authors of step components need: a project to begin with, bindings, a module made a component.
//!
//! Everything an author builds against is carried in the binary: the contract, the SDK, a project for each language. It
//! runs no compiler and no component, reads and writes only where it is told, and knows nothing of runs.

mod bindings;
mod embedded;
mod language;
mod project;
mod wrap;

pub use bindings::{BindingsError, GeneratedFile, c_bindings};
pub use embedded::CONTRACT_VERSION;
pub use language::{Language, UnknownLanguage};
pub use project::{Project, ProjectError, StepRequest};
pub use wrap::{WrapError, wrap};
