use super::note;
use crate::args::CredentialsCommand;
use crate::context::Context;
use crate::exit::{Exit, Refused};
use crate::wiring;
use lockstep_ports::{CredentialError, Credentials as _, DoneBeside, Secret};
use serde_json::json;
use std::io::Read as _;

/// Longest credential that is read: a key with its certificate chain, and a bound on memory.
const VALUE_MAX: u64 = 64 << 10;

/// `lockstep credentials …`. They stand in files of their own in the data folder, so a server that has the folder need
/// not be asked.
pub(super) async fn credentials(context: &Context, command: CredentialsCommand) -> anyhow::Result<Exit> {
    let credentials = wiring::open_credentials(context.folder.path())?;
    let whose = |owner: Option<String>| owner.unwrap_or_else(|| context.by.clone());
    match command {
        CredentialsCommand::List { owner } => {
            let owner = whose(owner);
            let names = credentials.names(&owner).await.map_err(refused)?;
            let document = json!({ "owner": owner, "names": names });
            context.term.show(&document, |_, _| match names.as_slice() {
                [] => format!("{owner} has no credentials\n"),
                names => format!("{}\n", names.join("\n")),
            })?;
        }
        CredentialsCommand::Set { name, owner } => {
            let owner = whose(owner);
            let value = value_from_input(&name)?;
            credentials.set(&owner, &name, value, None).await.map_err(refused)?;
            note(context, DoneBeside::CredentialSet, &format!("{name} of {owner}")).await;
            let document = json!({ "owner": owner, "name": name });
            context.term.show(&document, |_, _| format!("kept {name} of {owner}, encrypted\n"))?;
        }
        CredentialsCommand::Rm { name, owner } => {
            let owner = whose(owner);
            if !credentials.remove(&owner, &name).await.map_err(refused)? {
                return Refused::because(format!(
                    "{owner} has no credential {name}: see `lockstep credentials list`"
                ));
            }
            note(context, DoneBeside::CredentialRemove, &format!("{name} of {owner}")).await;
            let document = json!({ "owner": owner, "name": name });
            context.term.show(&document, |_, _| format!("forgot {name} of {owner}\n"))?;
        }
    }
    Ok(Exit::Done)
}

/// A value is never an argument: those are seen by everybody on the machine.
fn value_from_input(name: &str) -> anyhow::Result<Secret> {
    let mut text = String::new();
    let read = std::io::stdin().take(VALUE_MAX + 1).read_to_string(&mut text);
    let value = Secret::new(text.trim_end_matches(['\r', '\n']).to_owned());
    match read {
        Ok(size) if size as u64 > VALUE_MAX => {
            Refused::because(format!("the value of {name} has more than {VALUE_MAX} bytes"))
        }
        Ok(_) if value.expose().is_empty() => Refused::because(format!(
            "give the value of {name} on standard input: lockstep credentials set {name} < FILE"
        )),
        Ok(_) => Ok(value),
        Err(error) => Refused::because(format!("the value of {name} cannot be read: {error}")),
    }
}

fn refused(error: CredentialError) -> Refused {
    Refused(error.to_string())
}
