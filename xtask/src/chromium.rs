//! Debian's Chromium for the tests in a browser: unpacked with what it needs and this machine lacks, never installed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::{debian, workspace};

/// What the tests look for on the path.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// A browser, and letters to draw with.
const PACKAGES: [&str; 2] = ["chromium", "fonts-dejavu-core"];

/// Has a browser where the tests find one.
pub(crate) fn fetch() -> Result<()> {
    if NAMES.iter().any(|name| workspace::find_on_path(name).is_some()) {
        return Ok(());
    }
    let dir = workspace::root().join("target/tools/chromium");
    fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let unpacked = dir.join("root");
    debian::fetch_whole(&PACKAGES, &unpacked)?;
    write_starter(&dir, &unpacked)
}

/// Writes the program that starts it with the libraries and fonts beside it.
fn write_starter(dir: &Path, unpacked: &Path) -> Result<()> {
    let fonts = dir.join("fonts.conf");
    let font_dir = unpacked.join("usr/share/fonts");
    let cache = dir.join("font-cache");
    let text = format!(
        "<?xml version=\"1.0\"?>\n<!DOCTYPE fontconfig SYSTEM \"fonts.dtd\">\n<fontconfig><dir>{}</dir><cachedir>{}</cachedir></fontconfig>\n",
        font_dir.display(),
        cache.display()
    );
    fs::write(&fonts, text)?;
    let machine = std::env::consts::ARCH;
    // The sound library keeps a part of itself a folder further down.
    let libraries = ["usr/lib/{}-linux-gnu", "lib/{}-linux-gnu", "usr/lib/{}-linux-gnu/pulseaudio"];
    let libraries: Vec<String> =
        libraries.iter().map(|dir| unpacked.join(dir.replace("{}", machine)).display().to_string()).collect();
    let starter = format!(
        "#!/bin/sh\nexport LD_LIBRARY_PATH='{}' FONTCONFIG_FILE='{}'\nexec '{}' \"$@\"\n",
        libraries.join(":"),
        fonts.display(),
        unpacked.join("usr/lib/chromium/chromium").display()
    );
    // Under its own name only when it works: the tests take what they find.
    let partial = dir.join("chromium.partial");
    fs::write(&partial, starter)?;
    fs::set_permissions(&partial, fs::Permissions::from_mode(0o755))?;
    workspace::output(Command::new(&partial).arg("--version")).context("what was unpacked does not start")?;
    fs::rename(&partial, dir.join("chromium")).context("cannot write the program that starts chromium")
}
