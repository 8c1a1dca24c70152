//! The kept measurement as a picture.

use crate::IN_FLIGHT;
use crate::report::{Report, Sample};
use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;
use std::path::Path;

const SIZE: (u32, u32) = (1200, 860);
const TITLE_HEIGHT: u32 = 60;
const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
const FAINT: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);
/// Told apart by people who see few colours, too.
const COLOURS: [RGBColor; 4] = [
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0x77, 0x77, 0x77),
];
const FONT: &str = "sans-serif";
/// The smallest value that is shown on a scale of powers of ten.
const LEAST: f64 = 0.001;

type Panel<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// One line of a panel.
struct Line {
    name: String,
    points: Vec<(f64, f64)>,
    /// An aim or a limit, not something that was measured of the host.
    is_reference: bool,
}

/// What is common to all panels.
struct Axes {
    title: &'static str,
    x: &'static str,
    is_x_log: bool,
}

pub(crate) fn write(report: &Report, path: &Path) -> Result<()> {
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    draw(report, &area).map_err(|error| anyhow!("cannot draw {}: {error}", path.display()))
}

fn draw(report: &Report, area: &Panel<'_>) -> Result<(), Box<dyn std::error::Error>> {
    area.fill(&WHITE)?;
    let (head, body) = area.split_vertically(TITLE_HEIGHT);
    let style = |size: i32| (FONT, size).into_font().color(&INK);
    head.draw(&Text::new(format!("lockstep {} · {}", report.commit, report.at), (20, 12), style(20)))?;
    head.draw(&Text::new(
        format!("{} · {} · load average {:.1}", report.machine, report.settings, report.busy),
        (20, 38),
        style(14),
    ))?;
    let panels = body.split_evenly((2, 2));
    let steps = Axes { title: "durable steps a second", x: "runs in flight", is_x_log: true };
    lines(&panels[0], &steps, &rates(report))?;
    let times = Axes { title: "milliseconds from start to durable end", x: "runs in flight", is_x_log: true };
    lines(&panels[1], &times, &latencies(report))?;
    bars(&panels[2], "processor time of one run of five steps, µs", &costs(report))?;
    if report.long.is_empty() {
        bars(&panels[3], "resident memory, MB", &memory(report))?;
    } else {
        let long = Axes { title: "a long run: memory and disk, MB", x: "runs finished", is_x_log: false };
        lines(&panels[3], &long, &over_time(&report.long))?;
    }
    area.present()?;
    Ok(())
}

/// The figures of a group that are told for each number of runs in flight.
fn by_in_flight(report: &Report, group: &str, what: &str) -> Vec<(f64, f64)> {
    let point =
        |count: &u32| Some((f64::from(*count), report.value(group, &format!("{what}, {count} in flight"))?));
    IN_FLIGHT.iter().filter_map(point).collect()
}

fn rates(report: &Report) -> Vec<Line> {
    let line = |name: &str, group: &str, what: &str, is_reference| Line {
        name: name.to_owned(),
        points: by_in_flight(report, group, what),
        is_reference,
    };
    vec![
        line("a commit per run", crate::PER_RUN, crate::RATE, false),
        line("a commit per step", crate::PER_STEP, crate::RATE, false),
        line("in memory, no store", crate::IN_MEMORY, crate::RATE, false),
        line("disk alone, same bytes, a commit per step", crate::PER_STEP, crate::RAW_RATE, true),
    ]
}

fn latencies(report: &Report) -> Vec<Line> {
    let line = |name: &str, group: &str, what: &str| Line {
        name: name.to_owned(),
        points: by_in_flight(report, group, what),
        is_reference: false,
    };
    vec![
        line("p50, a commit per run", crate::PER_RUN, "p50"),
        line("p99, a commit per run", crate::PER_RUN, "p99"),
        line("p99, a commit per step", crate::PER_STEP, "p99"),
    ]
}

fn costs(report: &Report) -> Vec<(String, f64)> {
    let groups = [
        ("in memory", crate::IN_MEMORY),
        ("commit per run", crate::PER_RUN),
        ("commit per step", crate::PER_STEP),
    ];
    let bar = |(name, group): (&str, &str)| {
        let most = IN_FLIGHT.last()?;
        Some((name.to_owned(), report.value(group, &format!("{}, {most} in flight", crate::CPU))?))
    };
    groups.into_iter().filter_map(bar).collect()
}

fn memory(report: &Report) -> Vec<(String, f64)> {
    let figures = report.figures.iter().filter(|figure| figure.group == crate::MEMORY && figure.unit == "MB");
    figures.map(|figure| (figure.name.clone(), figure.value)).collect()
}

fn over_time(samples: &[Sample]) -> Vec<Line> {
    let line = |name: &str, of: fn(&Sample) -> f64| Line {
        name: name.to_owned(),
        points: samples.iter().map(|sample| (sample.runs as f64, of(sample))).collect(),
        is_reference: false,
    };
    vec![line("resident", |sample| sample.resident_mb), line("disk", |sample| sample.disk_mb)]
}

fn lines(panel: &Panel<'_>, axes: &Axes, lines: &[Line]) -> Result<(), Box<dyn std::error::Error>> {
    let points = || lines.iter().flat_map(|line| &line.points);
    let x_max = points().map(|point| point.0).fold(1.0, f64::max);
    let y_max = points().map(|point| point.1).fold(LEAST, f64::max);
    let y_min = points().map(|point| point.1).filter(|y| *y > 0.0).fold(y_max, f64::min);
    let mut builder = ChartBuilder::on(panel);
    builder.margin(16).caption(axes.title, (FONT, 18)).x_label_area_size(44).y_label_area_size(72);
    let label = |value: &f64| plain(*value);
    macro_rules! drawn {
        ($chart:expr) => {{
            let mut chart = $chart;
            let mut mesh = chart.configure_mesh();
            mesh.x_desc(axes.x).light_line_style(TRANSPARENT).bold_line_style(FAINT);
            mesh.x_label_formatter(&label).y_label_formatter(&label).label_style((FONT, 13)).draw()?;
            for (line, colour) in lines.iter().zip(COLOURS) {
                let style = colour.stroke_width(if line.is_reference { 1 } else { 2 });
                let series =
                    chart.draw_series(LineSeries::new(line.points.iter().copied(), style).point_size(3))?;
                series.label(&line.name).legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
            }
            let mut legend = chart.configure_series_labels();
            legend.background_style(WHITE.mix(0.85)).border_style(FAINT).label_font((FONT, 13));
            legend.position(SeriesLabelPosition::UpperLeft).draw()?;
        }};
    }
    if axes.is_x_log {
        // Room above for the legend, which stands there.
        let (xs, ys) = ((0.9..x_max * 1.1).log_scale(), (y_min * 0.5..y_max * 20.0).log_scale());
        drawn!(builder.build_cartesian_2d(xs, ys)?);
    } else {
        drawn!(builder.build_cartesian_2d(0.0..x_max, 0.0..y_max * 1.3)?);
    }
    Ok(())
}

fn bars(panel: &Panel<'_>, title: &str, bars: &[(String, f64)]) -> Result<(), Box<dyn std::error::Error>> {
    let most = bars.iter().map(|bar| bar.1).fold(1.0, f64::max);
    let mut builder = ChartBuilder::on(panel);
    builder.margin(16).caption(title, (FONT, 18)).x_label_area_size(30).y_label_area_size(20);
    let count = bars.len() as f64;
    let mut chart = builder.build_cartesian_2d(0.0..most * 1.15, 0.0..count)?;
    let mut mesh = chart.configure_mesh();
    mesh.disable_y_mesh().disable_y_axis().y_labels(0).light_line_style(TRANSPARENT).bold_line_style(FAINT);
    mesh.x_label_formatter(&|value| plain(*value)).label_style((FONT, 13)).draw()?;
    for (at, (name, value)) in bars.iter().enumerate() {
        let top = count - at as f64;
        let corners = [(0.0, top - 0.85), (*value, top - 0.45)];
        chart.draw_series([Rectangle::new(corners, COLOURS[0].filled())])?;
        let text = format!("{name}: {}", plain(*value));
        let style = (FONT, 14).into_font().color(&INK);
        chart.draw_series([Text::new(text, (0.0, top - 0.12), style)])?;
    }
    Ok(())
}

fn plain(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{} M", value / 1e6),
        value if value >= 1e4 => format!("{} k", (value / 1e2).round() / 10.0),
        value if value >= 10.0 => format!("{value:.0}"),
        value => format!("{value}"),
    }
}
