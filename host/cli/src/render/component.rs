use super::{Style, Tone, bytes, line};
use lockstep_ports::{Activated, BacktestReport, ComponentView, RolledBack};
use lockstep_types::{Activation, Grant};

/// Longest list of names in a table.
pub(super) const NAMES_MAX: usize = 60;

/// The components of the host.
pub(crate) fn components(style: &Style, components: &[ComponentView]) -> String {
    if components.is_empty() {
        return "no components\n".to_owned();
    }
    let rows: Vec<_> = components
        .iter()
        .map(|component| {
            let (info, descriptor) = (&component.info, &component.info.descriptor);
            let (tone, used) = used_by(component);
            vec![
                (Tone::Strong, info.digest.short()),
                (Tone::Plain, line(&descriptor.kind, NAMES_MAX)),
                (Tone::Plain, line(&descriptor.version, NAMES_MAX)),
                (Tone::Plain, bytes(info.size)),
                (tone, used),
                (Tone::Plain, names(&info.imports)),
                (Tone::Faint, line(&descriptor.summary, NAMES_MAX)),
            ]
        })
        .collect();
    style.table(&["DIGEST", "KIND", "VERSION", "SIZE", "USE", "IMPORTS", "SUMMARY"], &rows)
}

/// `active`, `canary`, `stopped`; a component can be several.
fn used_by(component: &ComponentView) -> (Tone, String) {
    let mut uses = Vec::new();
    if !component.active_for.is_empty() {
        uses.push("active");
    }
    if !component.canary_for.is_empty() {
        uses.push("canary");
    }
    if component.stop.is_some() {
        uses.push("stopped");
    }
    let tone = match (&component.stop, uses.is_empty()) {
        (Some(_), _) => Tone::Bad,
        (None, true) => Tone::Faint,
        (None, false) => Tone::Good,
    };
    (tone, if uses.is_empty() { "-".to_owned() } else { uses.join(", ") })
}

/// A file that is no component of this host.
pub(crate) fn component_refused(style: &Style, why: &str) -> String {
    format!("{} {}\n", style.paint(Tone::Bad, "refused"), line(why, usize::MAX))
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
    text + &warnings(style, component.warning.as_slice())
}

/// What moved.
pub(crate) fn activated(style: &Style, activated: &Activated) -> String {
    let Activated { activation, warnings: told, backtest } = activated;
    format!(
        "{} runs on {} from now on; live runs keep what they began with\n  it may: {}\n{}{}",
        style.paint(Tone::Strong, &line(&activation.kind, NAMES_MAX)),
        activation.digest.short(),
        granted(&activation.grant),
        passed(backtest.as_deref()),
        warnings(style, told),
    )
}

/// What went back.
pub(crate) fn rolled_back(style: &Style, back: &RolledBack) -> String {
    match back {
        RolledBack::Pointer(moved) => activated(style, moved),
        RolledBack::Canary(canary) => format!(
            "the canary of {} on {} has ended; runs that have it keep it, and the pointer has not moved\n",
            style.paint(Tone::Strong, &line(&canary.kind, NAMES_MAX)),
            canary.digest.short(),
        ),
    }
}

/// The backtest that a candidate had to pass.
pub(super) fn passed(backtest: Option<&BacktestReport>) -> String {
    backtest.map_or_else(String::new, |report| format!("  backtest: {}\n", report.in_words()))
}

/// A line each.
pub(super) fn warnings(style: &Style, warnings: &[String]) -> String {
    let line =
        |text: &String| format!("{} {}\n", style.paint(Tone::Attention, "warning:"), line(text, usize::MAX));
    warnings.iter().map(line).collect()
}

/// Every movement of a kind's pointer.
pub(crate) fn history(style: &Style, activations: &[Activation]) -> String {
    if activations.is_empty() {
        return "no component has been active\n".to_owned();
    }
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

pub(super) fn granted(grant: &Grant) -> String {
    let parts = [("import", &grant.imports), ("jobs", &grant.jobs), ("effects", &grant.effects)];
    let parts = parts.iter().filter(|(_, names)| !names.is_empty());
    let mut parts: Vec<String> = parts.map(|(what, names)| format!("{what} {}", names.join(","))).collect();
    if !grant.dirs.is_empty() {
        let dirs = grant.dirs.iter().map(|dir| format!("{}={}", dir.path, dir.digest.short()));
        parts.push(format!("dirs {}", dirs.collect::<Vec<_>>().join(",")));
    }
    let text = parts.join("; ");
    if text.is_empty() { "nothing".to_owned() } else { line(&text, usize::MAX) }
}

pub(super) fn names(names: &[String]) -> String {
    if names.is_empty() { "-".to_owned() } else { line(&names.join(", "), NAMES_MAX) }
}
