use super::actor;
use super::add::signature_file;
use super::inspect::detail;
use crate::commands::{read_text, with_components};
use crate::context::{Context, quoted};
use crate::exit::Refused;
use crate::render;
use anyhow::Context as _;
use lockstep_runtime::signature::{self, PrivateKey};
use serde_json::json;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// Makes a pair of keys in two files; neither replaces a file that is there.
pub(super) fn keygen(context: &Context, name: &str) -> anyhow::Result<()> {
    let path = Path::new(name);
    let Some(short) = path.file_name().and_then(|name| name.to_str()).filter(|name| is_plain(name)) else {
        return Refused::because(format!(
            "{name:?} is no name for a key: use letters, digits, `-`, `_` and `.`, such as release-team"
        ));
    };
    let (private, public) = (format!("{name}.key"), format!("{name}.pub"));
    for file in [&private, &public] {
        if fs::symlink_metadata(file).is_ok() {
            return Refused::because(format!(
                "{file} is there already and is not replaced: use another name"
            ));
        }
    }
    let mut random = [0_u8; 32];
    getrandom::fill(&mut random).context("the system gives no random bytes")?;
    let key = PrivateKey::from_random(&random);
    create(&private, &key.write(short), true)?;
    create(&public, &key.write_public(short), false)?;
    let made = json!({ "private": private, "public": public, "key": key.public() });
    let sign = context.command(&format!("component sign FILE --key {}", quoted(&private)));
    let trust = context.command(&format!("component trust add {}", quoted(&public)));
    context.term.show(&made, |_, _| {
        format!("made {private}, which signs: keep it to yourself\n  {sign}\nand {public}, for those who trust it\n  {trust}\n")
    })
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

/// Creates a file that must not be there yet; a secret one is for its owner alone, from its first moment.
fn create(path: &str, text: &str, is_secret: bool) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if is_secret {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let written = options.open(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    match written {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Refused::because(format!("{path} is there already and is not replaced: use another name"))
        }
        Err(error) => Refused::because(format!("{path} cannot be written: {error}")),
    }
}

/// Signs a file, whose signature goes into a file beside it, or a stored component, which keeps it.
pub(super) async fn sign(context: &Context, name: &str, key: &Path) -> anyhow::Result<()> {
    let text = read_text(key, signature::FILE_BYTES_MAX)?;
    let key = PrivateKey::read(&text).map_err(|error| Refused(format!("{}: {error}", key.display())))?;
    let file = Path::new(name);
    if file.exists() {
        let detail =
            with_components(context, "component sign", async |service| detail(&*service, name).await).await?;
        let info = detail.view.info;
        let signature = key.sign(&info);
        let beside = signature_file(file);
        if let Err(error) = fs::write(&beside, signature::write_signature(&signature)) {
            return Refused::because(format!("{} cannot be written: {error}", beside.display()));
        }
        let signed = json!({ "digest": info.digest, "key": signature.key, "signature": signature.signature,
            "file": beside });
        return context.term.show(&signed, |style, _| {
            let file = beside.to_string_lossy();
            render::signed(style, &info, &signature.key, Some(&file))
        });
    }
    let actor = actor(context, None);
    let detail = with_components(context, "component sign", async |service| {
        let info = detail(&*service, name).await?.view.info;
        let signature = key.sign(&info);
        let text = signature::write_signature(&signature);
        Ok(service.sign_component(&info.digest.to_string(), &text, actor).await?)
    });
    let detail = detail.await?;
    context.term.show(&detail, |style, detail| render::signed(style, &detail.view.info, &key.public(), None))
}
