use super::{Style, Tone, bytes, line};
use lockstep_ports::ComponentView;
use lockstep_types::{Activation, Grant};

/// Longest list of names in a table.
const NAMES_MAX: usize = 60;

/// The components of the host.
pub(crate) fn components(style: &Style, components: &[ComponentView]) -> String {
    if components.is_empty() {
        return "no components\n".to_owned();
    }
    let rows: Vec<_> = components
        .iter()
        .map(|component| {
            let (info, descriptor) = (&component.info, &component.info.descriptor);
            vec![
                (Tone::Strong, info.digest.short()),
                (Tone::Plain, line(&descriptor.kind, NAMES_MAX)),
                (Tone::Plain, line(&descriptor.version, NAMES_MAX)),
                (Tone::Plain, bytes(info.size)),
                (Tone::Good, names(&component.active_for)),
                (Tone::Plain, names(&info.imports)),
                (Tone::Faint, line(&descriptor.summary, NAMES_MAX)),
            ]
        })
        .collect();
    style.table(&["DIGEST", "KIND", "VERSION", "SIZE", "ACTIVE FOR", "IMPORTS", "SUMMARY"], &rows)
}

/// A component that was just added, and the command that makes a kind use it.
pub(crate) fn component_added(style: &Style, component: &ComponentView, command: &str) -> String {
    let (info, descriptor) = (&component.info, &component.info.descriptor);
    let mut text = format!(
        "added {} {} {} ({})\n",
        style.paint(Tone::Strong, &info.digest.to_string()),
        line(&descriptor.kind, NAMES_MAX),
        line(&descriptor.version, NAMES_MAX),
        bytes(info.size),
    );
    for (what, wanted) in
        [("imports", &info.imports), ("jobs", &descriptor.jobs), ("effects", &descriptor.effects)]
    {
        if !wanted.is_empty() {
            text.push_str(&format!("  {what}: {}\n", line(&wanted.join(", "), usize::MAX)));
        }
    }
    if component.active_for.is_empty() {
        text.push_str(&format!("nothing uses it yet: {command}\n"));
    } else {
        text.push_str(&format!("active for {}\n", names(&component.active_for)));
    }
    text
}

/// What moved.
pub(crate) fn activated(style: &Style, activation: &Activation) -> String {
    format!(
        "{} runs on {} from now on; live runs keep what they began with\n  it may: {}\n",
        style.paint(Tone::Strong, &line(&activation.kind, NAMES_MAX)),
        activation.digest.short(),
        granted(&activation.grant),
    )
}

/// Every movement of a kind's pointer.
pub(crate) fn history(style: &Style, activations: &[Activation]) -> String {
    let rows: Vec<_> = activations
        .iter()
        .map(|activation| {
            vec![
                (Tone::Faint, style.moment(activation.at)),
                (Tone::Strong, activation.digest.short()),
                (Tone::Plain, line(&activation.by, NAMES_MAX)),
                (Tone::Plain, granted(&activation.grant)),
                (Tone::Plain, line(&activation.reason, NAMES_MAX)),
            ]
        })
        .collect();
    style.table(&["WHEN", "DIGEST", "BY", "MAY", "REASON"], &rows)
}

fn granted(grant: &Grant) -> String {
    let parts = [("import", &grant.imports), ("jobs", &grant.jobs), ("effects", &grant.effects)];
    let parts = parts.iter().filter(|(_, names)| !names.is_empty());
    let text =
        parts.map(|(what, names)| format!("{what} {}", names.join(","))).collect::<Vec<_>>().join("; ");
    if text.is_empty() { "nothing".to_owned() } else { line(&text, usize::MAX) }
}

fn names(names: &[String]) -> String {
    if names.is_empty() { "-".to_owned() } else { line(&names.join(", "), NAMES_MAX) }
}
