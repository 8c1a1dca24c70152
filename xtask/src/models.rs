//! `cargo xtask models`: what is asked of models, and what the tests answer for them, against the types of OpenAI's own
//! client.

use anyhow::Result;

use crate::examples::{Found, Missing, venv};
use crate::workspace;

/// OpenAI's client for Python, whose types are made from its description of the protocol.
const CLIENT: &str = "openai==3.54.0";

pub(crate) fn run() -> Result<()> {
    let root = workspace::root();
    let python = match venv(&root.join("target/tools"), CLIENT)? {
        Found::There(venv) => venv.join("bin/python"),
        Found::Missing(Missing(why)) => anyhow::bail!("OpenAI's client cannot be had: {why}"),
    };
    let mut cargo = workspace::cargo(&root);
    cargo.args(["test", "--locked", "--package", "lockstep-providers", "--test", "it", "models::"]);
    workspace::run(cargo.env("LOCKSTEP_PYTHON_WITH_OPENAI", python))
}
