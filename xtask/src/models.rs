//! `cargo xtask models`: what is asked of models, and what the tests answer for them, against the types of OpenAI's own
//! client.

use anyhow::Result;

use crate::{examples, workspace};

/// OpenAI's client for Python, whose types are made from its description of the protocol.
const CLIENT: &str = "openai==3.54.0";

pub(crate) fn run() -> Result<()> {
    let python = examples::venv(CLIENT)?.join("bin/python");
    let mut cargo = workspace::cargo(&workspace::root());
    cargo.args(["test", "--locked", "--package", "lockstep-providers", "--test", "it", "models::"]);
    workspace::run(cargo.env("LOCKSTEP_PYTHON_WITH_OPENAI", python))
}
