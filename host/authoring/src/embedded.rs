//! The files the build script put into the binary.

/// A file of a project: its path below the project's folder and its text.
pub(crate) type File = (&'static str, &'static str);

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
