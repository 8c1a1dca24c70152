//! Figures as they are printed, kept and compared.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// All that one measurement gave.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Commit that was measured.
    pub(crate) commit: String,
    /// When, UTC.
    pub(crate) at: String,
    pub(crate) machine: String,
    /// What was asked for, where it changes what the figures mean.
    pub(crate) settings: String,
    /// The load average before it began: figures of a busy machine are worth less.
    pub(crate) busy: f64,
    pub(crate) figures: Vec<Figure>,
    /// The long run, as it went on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) long: Vec<Sample>,
}

/// One measured number. It is compared with the one of the same group and name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Figure {
    pub(crate) group: String,
    pub(crate) name: String,
    pub(crate) unit: String,
    pub(crate) value: f64,
    pub(crate) better: Better,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) aim: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Better {
    More,
    Less,
    /// It says something of the machine, not of the host.
    Neither,
}

/// A moment of the long run.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) runs: u64,
    pub(crate) disk_mb: f64,
    pub(crate) resident_mb: f64,
    pub(crate) steps_per_second: f64,
}

impl Figure {
    /// Whether the aim is met; none if there is none.
    fn is_met(&self) -> Option<bool> {
        let aim = self.aim?;
        Some(if self.better == Better::More { self.value >= aim } else { self.value < aim })
    }

    fn aim_text(&self) -> String {
        let Some((aim, is_met)) = self.aim.zip(self.is_met()) else { return String::new() };
        let sign = if self.better == Better::More { "≥" } else { "<" };
        format!("{sign} {} {}", number(aim), if is_met { "met" } else { "NOT MET" })
    }
}

impl Report {
    /// Adds a figure and prints it, under the heading of its group where that begins.
    pub(crate) fn add(&mut self, group: &str, name: &str, unit: &str, value: f64, better: Better) {
        self.push(group, name, unit, value, better, None);
    }

    pub(crate) fn add_aimed(
        &mut self,
        group: &str,
        name: &str,
        unit: &str,
        value: f64,
        better: Better,
        aim: f64,
    ) {
        self.push(group, name, unit, value, better, Some(aim));
    }

    fn push(&mut self, group: &str, name: &str, unit: &str, value: f64, better: Better, aim: Option<f64>) {
        if self.figures.last().is_none_or(|last| last.group != group) {
            println!("\n{group}");
        }
        let (group, name, unit) = (group.to_owned(), name.to_owned(), unit.to_owned());
        let figure = Figure { group, name, unit, value, better, aim };
        let (value, aim) = (number(figure.value), figure.aim_text());
        println!("{}", format!("  {:<52} {value:>10} {:<9} {aim}", figure.name, figure.unit).trim_end());
        self.figures.push(figure);
    }

    pub(crate) fn value(&self, group: &str, name: &str) -> Option<f64> {
        self.figures
            .iter()
            .find(|figure| figure.group == group && figure.name == name)
            .map(|found| found.value)
    }

    pub(crate) fn read(path: &Path) -> Result<Option<Self>> {
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
        let report = serde_json::from_str(&text).with_context(|| {
            format!("{} is not a kept measurement: remove it and measure with --keep", path.display())
        })?;
        Ok(Some(report))
    }

    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        std::fs::write(path, text).with_context(|| format!("write {}", path.display()))
    }

    /// Prints what has changed since a kept measurement.
    pub(crate) fn compare(&self, kept: &Self) {
        println!("\nsince {} ({}, load average {:.1})", kept.commit, kept.at, kept.busy);
        if kept.settings != self.settings || kept.machine != self.machine {
            println!("  that was: {}, {}", kept.machine, kept.settings);
        }
        println!("  {:<64} {:>10} {:>10} {:>9}", "", "kept", "now", "change");
        for figure in &self.figures {
            let Some(before) = kept.value(&figure.group, &figure.name) else { continue };
            let name = format!("{}: {}", figure.group, figure.name);
            let (kept, now) = (number(before), number(figure.value));
            println!("  {name:<64} {kept:>10} {now:>10} {:>9}", change(before, figure));
        }
    }

    /// Prints the aims once more, all in one place.
    pub(crate) fn sum_up(&self) {
        let aimed: Vec<_> =
            self.figures.iter().filter_map(|figure| Some((figure, figure.is_met()?))).collect();
        let met = aimed.iter().filter(|(_, is_met)| *is_met).count();
        println!("\n{met} of {} aims met", aimed.len());
        for (figure, _) in aimed.iter().filter(|(_, is_met)| !is_met) {
            let (value, aim) = (number(figure.value), figure.aim_text());
            println!("  {}: {}: {value} {} (aim {aim})", figure.group, figure.name, figure.unit);
        }
    }
}

/// In percent, with a mark where it became worse by more than a tenth.
fn change(before: f64, now: &Figure) -> String {
    if before == 0.0 {
        return String::new();
    }
    let percent = (now.value / before - 1.0) * 100.0;
    let worse = match now.better {
        Better::More => -percent,
        Better::Less => percent,
        Better::Neither => 0.0,
    };
    format!("{percent:+.0} %{}", if worse > 10.0 { " !" } else { "  " })
}

/// Three digits that count, and thousands apart.
fn number(value: f64) -> String {
    let decimals = match value.abs() {
        value if value >= 100.0 => 0,
        value if value >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.decimals$}");
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let mut spaced = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0
            && digit.is_ascii_digit()
            && (whole.len() - at) % 3 == 0
            && spaced.ends_with(|c: char| c.is_ascii_digit())
        {
            spaced.push(',');
        }
        spaced.push(digit);
    }
    if rest.is_empty() { spaced } else { format!("{spaced}.{rest}") }
}
