use super::component::{NAMES_MAX, granted, names, passed, warnings};
use super::{Style, Tone, bytes, counted, grouped, line, short};
use lockstep_ports::{
    BacktestReport, CanaryBegun, CanaryReport, CanaryRun, ComponentDetail, GcEntry, GcReport, KindView,
    LimitView, RunCounts, StopView,
};
use lockstep_types::{AuditEntry, Canary, CanaryTo, ComponentInfo, Grant, Stop, Trust};
use serde::Serialize;

/// Runs of a canary that are listed.
const RUNS_SHOWN: usize = 20;
/// Digits of a key that people see.
const KEY_DIGITS: usize = 12;

/// Names and what they stand for, under each other.
fn fields(style: &Style, fields: &[(&str, String)]) -> String {
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let line =
        |(name, text): &(&str, String)| format!("  {}  {text}\n", style.cell(Tone::Faint, name, width));
    fields.iter().map(line).collect()
}

/// Everything about a component.
pub(crate) fn component(style: &Style, detail: &ComponentDetail) -> String {
    let view = &detail.view;
    let (info, descriptor) = (&view.info, &view.info.descriptor);
    let state = format!("state version {}", descriptor.state_version);
    let added = if detail.is_stored { style.moment(info.added_at) } else { "not added".to_owned() };
    let mut rows = vec![
        ("kind", line(&format!("{} {} ({state})", descriptor.kind, descriptor.version), usize::MAX)),
        ("summary", line(&descriptor.summary, usize::MAX)),
        ("world", line(&info.world, usize::MAX)),
        ("size", bytes(info.size)),
        ("added", added),
        ("imports", names(&info.imports)),
        ("exports", names(&detail.exports)),
        ("jobs", names(&descriptor.jobs)),
        ("effects", names(&descriptor.effects)),
        ("config", config(info)),
    ];
    if !detail.limits.is_empty() {
        rows.push(("limits", limits(&detail.limits)));
    }
    if detail.signatures.is_empty() {
        rows.push(("signed by", "nobody".to_owned()));
    }
    for signature in &detail.signatures {
        let key: String = signature.signature.key.chars().take(KEY_DIGITS).collect();
        let text = match &signature.trusted_as {
            Some(name) => style.paint(Tone::Good, &format!("{} (trusted, key {key})", line(name, NAMES_MAX))),
            None => format!("key {key} (not trusted)"),
        };
        rows.push(("signed by", text));
    }
    if !view.canary_for.is_empty() {
        rows.push(("canary of", names(&view.canary_for)));
    }
    for moved in &detail.activations {
        let is_now = view.active_for.contains(&moved.kind);
        let text =
            format!("for {} at {}{}", moved.kind, style.moment(moved.at), who(&moved.by, &moved.reason));
        rows.push(("activated", if is_now { style.paint(Tone::Good, &text) } else { text }));
    }
    let mut text =
        format!("{}\n{}", style.paint(Tone::Strong, &info.digest.to_string()), fields(style, &rows));
    text.push_str(&stop(style, view.stop.as_ref()));
    if detail.beyond_grant != Grant::default() {
        let kind = line(&descriptor.kind, NAMES_MAX);
        let more = format!(
            "it asks for more than kind {kind} is granted: `lockstep component grant {kind} {}`",
            flags(&detail.beyond_grant)
        );
        text.push_str(&warnings(style, &[more]));
    }
    text + &warnings(style, view.warning.as_slice())
}

/// The properties of a config, those it needs with a star.
fn config(info: &ComponentInfo) -> String {
    let schema = info.descriptor.config_schema.value();
    let Some(properties) = schema.get("properties").and_then(|properties| properties.as_object()) else {
        return "anything".to_owned();
    };
    let required = schema.get("required").and_then(|required| required.as_array());
    let is_required = |name: &str| required.is_some_and(|all| all.iter().any(|one| one == name));
    let name = |name: &String| if is_required(name) { format!("{name}*") } else { name.clone() };
    let names: Vec<String> = properties.keys().map(name).collect();
    if names.is_empty() { "nothing".to_owned() } else { line(&names.join(", "), usize::MAX) }
}

fn limits(limits: &[LimitView]) -> String {
    let limit = |LimitView { name, value }: &LimitView| match name.strip_suffix("-bytes") {
        Some(name) => format!("{name} {}", bytes(*value)),
        None => format!("{name} {}", grouped(*value)),
    };
    limits.iter().map(limit).collect::<Vec<_>>().join(", ")
}

fn stop(style: &Style, stop: Option<&Stop>) -> String {
    let Some(stop) = stop else { return String::new() };
    let word = style.paint(Tone::Bad, "stopped");
    format!("{word} since {}{}\n", style.moment(stop.at), who(&stop.by, &stop.reason))
}

/// ` by ann: why`
fn who(by: &str, reason: &str) -> String {
    let by = line(by, NAMES_MAX);
    if reason.is_empty() { format!(" by {by}") } else { format!(" by {by}: {}", line(reason, usize::MAX)) }
}

/// A grant as options of `component grant`.
fn flags(grant: &Grant) -> String {
    let pairs = [("import", &grant.imports), ("job", &grant.jobs), ("effect", &grant.effects)];
    let flags: Vec<String> = pairs
        .iter()
        .flat_map(|(what, names)| names.iter().map(move |name| format!("--{what} {name}")))
        .collect();
    line(&flags.join(" "), usize::MAX)
}

/// Everything about a kind.
pub(crate) fn kind(style: &Style, view: &KindView) -> String {
    let active = match (&view.active, &view.component) {
        (None, _) => "no component: none is activated".to_owned(),
        (Some(active), component) => {
            let version = component.as_ref().map(|info| info.descriptor.version.as_str()).unwrap_or_default();
            let digest = style.paint(Tone::Strong, &active.digest.short());
            let version = line(version, NAMES_MAX);
            format!("{digest} {version} since {}{}", style.moment(active.at), who(&active.by, &active.reason))
        }
    };
    let mut rows = vec![("uses", active), ("may", granted(&view.grant))];
    if let Some(row) = &view.granted {
        rows.push(("granted", format!("{} by {}", style.moment(row.at), line(&row.by, NAMES_MAX))));
    }
    if let Some(running) = &view.canary {
        rows.push(("canary", canary_line(style, running)));
    }
    rows.push(("moves", view.moves.to_string()));
    let name = style.paint(Tone::Strong, &line(&view.kind, NAMES_MAX));
    format!("{name}\n{}{}", fields(style, &rows), stop(style, view.stop.as_ref()))
}

/// What a kind may do.
pub(crate) fn kind_grant(style: &Style, view: &KindView) -> String {
    let name = style.paint(Tone::Strong, &line(&view.kind, NAMES_MAX));
    let since = view.granted.as_ref().map_or_else(String::new, |row| {
        format!("\n  since {} by {}", style.moment(row.at), line(&row.by, NAMES_MAX))
    });
    format!("{name} may: {}{since}\n", granted(&view.grant))
}

fn canary_line(style: &Style, canary: &Canary) -> String {
    let digest = style.paint(Tone::Strong, &canary.digest.short());
    let since = style.moment(canary.at);
    format!("{digest} for {} since {since}{}", gets_it(&canary.to), who(&canary.by, &canary.reason))
}

fn gets_it(to: &CanaryTo) -> String {
    match to {
        CanaryTo::Share(percent) => format!("{percent}% of runs"),
        CanaryTo::Items(items) => format!("runs of {}", line(&items.join(", "), NAMES_MAX)),
    }
}

/// A canary that began.
pub(crate) fn canary_begun(style: &Style, begun: &CanaryBegun) -> String {
    let CanaryBegun { canary, warnings: told, backtest } = begun;
    let kind = line(&canary.kind, NAMES_MAX);
    format!(
        "{} of {} that start from now on get {}\n{}  see how they do: lockstep component canary {kind}\n{}",
        gets_it(&canary.to),
        style.paint(Tone::Strong, &kind),
        canary.digest.short(),
        passed(backtest.as_deref()),
        warnings(style, told),
    )
}

/// A canary, and what it decided beside what the active component would have.
#[derive(Serialize)]
pub(crate) struct WatchedCanary {
    #[serde(flatten)]
    pub(crate) report: CanaryReport,
    /// Calls the candidate made, made again with the active component; none if there are none yet.
    pub(crate) verdicts: Option<BacktestReport>,
}

/// A canary, how its runs do beside the others, and the verdicts of both.
pub(crate) fn canary(style: &Style, watched: &WatchedCanary) -> String {
    let report = &watched.report;
    let kind = line(&report.canary.kind, NAMES_MAX);
    let mut text =
        format!("{} canary {}\n", style.paint(Tone::Strong, &kind), canary_line(style, &report.canary));
    let row = |name: &str, counts: &RunCounts| {
        let number = |tone, number: u64| (if number == 0 { Tone::Faint } else { tone }, number.to_string());
        vec![
            (Tone::Plain, name.to_owned()),
            number(Tone::Plain, counts.runs),
            number(Tone::Good, counts.done),
            number(Tone::Bad, counts.failed),
            number(Tone::Plain, counts.live),
        ]
    };
    let rows = [row("candidate", &report.candidate), row("others", &report.others)];
    text.push_str(&style.table(&["RUNS ON", "ALL", "DONE", "FAILED", "LIVE"], &rows));
    if report.runs.is_empty() {
        return text;
    }
    text.push_str(&canary_runs(style, &report.runs));
    if let Some(verdicts) = watched.verdicts.as_ref().filter(|verdicts| verdicts.counts.all() > 0) {
        text.push('\n');
        text.push_str(&super::verdicts(style, verdicts));
    }
    text.push_str(&format!(
        "  all runs: lockstep component promote {kind}\n  no more:  lockstep component rollback {kind}\n"
    ));
    text
}

fn canary_runs(style: &Style, runs: &[CanaryRun]) -> String {
    let rows = runs.iter().take(RUNS_SHOWN).map(|run| {
        vec![
            (Tone::Strong, short(&run.run).to_owned()),
            (super::status_tone(run.status), run.status.word().to_owned()),
            (Tone::Faint, style.moment(run.created_at)),
            (Tone::Plain, line(&run.item, NAMES_MAX)),
        ]
    });
    let rows: Vec<_> = rows.collect();
    let more = match runs.len().saturating_sub(RUNS_SHOWN) {
        0 => String::new(),
        more => format!("and {more} more\n"),
    };
    format!("\n{}{more}", style.table(&["RUN", "STATUS", "STARTED", "ITEM"], &rows))
}

/// A component that was stopped or may be called again.
pub(crate) fn stopped(style: &Style, view: &StopView) -> String {
    let digest = style.paint(Tone::Strong, &view.digest.short());
    if view.stop.is_none() {
        return format!("{digest} may be called again\n");
    }
    let mut text = format!("{digest} is stopped: no run calls it any more\n");
    for kind in &view.active_for {
        let kind = line(kind, NAMES_MAX);
        let still = format!("kind {kind} still points to it: `lockstep component rollback {kind}`");
        text.push_str(&warnings(style, &[still]));
    }
    text
}

/// What went, what stays, and why.
pub(crate) fn collected(style: &Style, report: &GcReport) -> String {
    let size = report.removed.iter().map(|entry| entry.size).sum();
    let verb = if report.dry_run { "would remove" } else { "removed" };
    let mut text = format!(
        "{verb} {} ({}), {} needed\n",
        counted(report.removed.len(), "component"),
        bytes(size),
        counted(report.kept.len(), "component") + if report.kept.len() == 1 { " is" } else { " are" },
    );
    let row = |entry: &GcEntry, tone, why: String| {
        vec![
            (Tone::Strong, entry.digest.short()),
            (Tone::Plain, line(&entry.kind, NAMES_MAX)),
            (Tone::Plain, line(&entry.version, NAMES_MAX)),
            (Tone::Plain, bytes(entry.size)),
            (tone, why),
        ]
    };
    let gone = if report.dry_run { "goes" } else { "gone" };
    let removed =
        report.removed.iter().map(|entry| row(entry, Tone::Attention, format!("{gone}: nothing needs it")));
    let kept = report
        .kept
        .iter()
        .map(|entry| row(entry, Tone::Faint, line(&entry.needed_by.join("; "), usize::MAX)));
    let rows: Vec<_> = removed.chain(kept).collect();
    if !rows.is_empty() {
        text.push_str(&style.table(&["DIGEST", "KIND", "VERSION", "SIZE", "WHY"], &rows));
    }
    if !report.removed_dirs.is_empty() {
        let folders = counted(report.removed_dirs.len(), "granted folder");
        text.push_str(&format!("{verb} {folders} that no grant and no run names any more\n"));
    }
    text
}

/// What was done, the oldest first.
pub(crate) fn audit(style: &Style, entries: &[AuditEntry]) -> String {
    if entries.is_empty() {
        return "nothing was done yet\n".to_owned();
    }
    let rows: Vec<_> = entries
        .iter()
        .map(|entry| {
            let is_digest = entry.subject.len() == 64 && entry.subject.bytes().all(|b| b.is_ascii_hexdigit());
            let subject: String =
                entry.subject.chars().take(if is_digest { KEY_DIGITS } else { NAMES_MAX }).collect();
            vec![
                (Tone::Faint, entry.number.to_string()),
                (Tone::Faint, style.moment(entry.at)),
                (Tone::Plain, line(&entry.by, NAMES_MAX)),
                (Tone::Strong, entry.action.word().to_owned()),
                (Tone::Plain, line(&subject, NAMES_MAX)),
                (Tone::Plain, line(&entry.detail, usize::MAX)),
                (Tone::Faint, line(&entry.reason, usize::MAX)),
            ]
        })
        .collect();
    style.table(&["NO", "WHEN", "BY", "WHAT", "TO", "HOW", "REASON"], &rows)
}

/// A signature that was made.
pub(crate) fn signed(style: &Style, info: &ComponentInfo, key: &str, file: Option<&str>) -> String {
    let key: String = key.chars().take(KEY_DIGITS).collect();
    let descriptor = &info.descriptor;
    let what = line(&format!("{} {}", descriptor.kind, descriptor.version), NAMES_MAX);
    let digest = style.paint(Tone::Strong, &info.digest.short());
    let place = file.map_or_else(|| "stored with it".to_owned(), |file| line(file, usize::MAX));
    format!("signed {digest} {what} by key {key}: {place}\n")
}

/// Whose signatures count.
pub(crate) fn trust(style: &Style, trust: &Trust) -> String {
    let says = match trust.policy.word() {
        "off" => "signatures are not asked for",
        "warn" => "a component without the signature of a trusted key is used with a warning",
        _ => "a component needs the signature of a trusted key",
    };
    let mut text = format!("policy {}: {says}\n", style.paint(Tone::Strong, trust.policy.word()));
    if trust.keys.is_empty() {
        text.push_str("no key is trusted: lockstep component trust add KEYFILE\n");
        return text;
    }
    let rows: Vec<_> = trust
        .keys
        .iter()
        .map(|key| {
            vec![
                (Tone::Strong, line(&key.name, NAMES_MAX)),
                (Tone::Plain, key.key.clone()),
                (Tone::Faint, style.moment(key.at)),
                (Tone::Plain, line(&key.by, NAMES_MAX)),
            ]
        })
        .collect();
    text.push_str(&style.table(&["NAME", "KEY", "SINCE", "BY"], &rows));
    text
}
