//! `bench`: measures what the daemon bears, part by part, and compares it with what it should. Each part is an example
//! of the daemon's crate that prints one row per figure as JSON; this builds and runs them and prints a table, or the
//! rows as they are.

use std::{ffi::OsString, fs};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::{
    exec::{Run, target_dir},
    privilege::{Access, DAEMON, Situation},
};

/// One figure.
#[derive(Deserialize, Serialize)]
struct Row {
    part: String,
    name: String,
    value: f64,
    unit: String,
    /// How far from it half of all measurements lie; `None` where it was measured once.
    spread: Option<f64>,
    /// What it is compared with, and how many times that it is.
    ratio_to: Option<String>,
    ratio: Option<f64>,
    /// What it should be, and whether it is.
    target: Option<String>,
    holds: Option<bool>,
}

/// A part: its name, whether it is measured in the kernel, and how it is run.
type Part = (&'static str, bool, &'static [&'static [&'static str]]);

/// The part that takes an hour, and is measured only where it is named.
const LONG: &str = "endurance";

const PARTS: [Part; 7] = [
    ("kernel", true, &[&[]]),
    ("counts", true, &[&[]]),
    ("host", true, &[&[]]),
    ("daemon", true, &[&[]]),
    ("freshness", true, &[&[]]),
    ("fanout", false, FANOUT),
    (LONG, true, &[&[]]),
];

/// Streams of all kinds and the dearest at once; then one kind at a time over 10,000 changes per second, for more and more
/// of those who read.
const FANOUT: &[&[&str]] = &[
    &[],
    &["--reading", "16", "--silent", "0", "--kind", "worst"],
    &one_kind("whole", "1"),
    &one_kind("whole", "10"),
    &one_kind("whole", "100"),
    &one_kind("whole", "1000"),
    &one_kind("window", "1"),
    &one_kind("window", "10"),
    &one_kind("window", "100"),
    &one_kind("window", "1000"),
    &one_kind("single", "1"),
    &one_kind("single", "10"),
    &one_kind("single", "100"),
    &one_kind("single", "1000"),
];

const fn one_kind(kind: &'static str, reading: &'static str) -> [&'static str; 12] {
    [
        "--kind",
        kind,
        "--reading",
        reading,
        "--silent",
        "0",
        "--changing",
        "2500",
        "--replaced",
        "0",
        "--for",
        "10s",
    ]
}

pub(crate) fn bench(part: Option<&str>, json: bool, options: &[OsString]) -> Result<()> {
    let parts: Vec<_> = PARTS
        .iter()
        .filter(|(name, ..)| part.map_or(*name != LONG, |part| part == *name))
        .collect();
    if parts.is_empty() {
        let names = PARTS.map(|(name, ..)| name).join(", ");
        bail!(
            "bench {}: no such part; there are {names}",
            part.unwrap_or_default()
        );
    }
    let situation = Situation::now();
    let access = situation.decide(DAEMON);
    if let Access::Denied(missing) = &access
        && parts.iter().any(|(_name, in_kernel, _runs)| *in_kernel)
    {
        return Err(situation.explain("bench", DAEMON, missing));
    }
    Run::new("cargo")
        .args([
            "build",
            "--quiet",
            "--release",
            "--package",
            "tcpviewer",
            "--bins",
            "--examples",
        ])
        .output()?;
    let mut rows = Vec::new();
    for (name, in_kernel, runs) in parts {
        let access = if *in_kernel { &access } else { &Access::Own };
        for arguments in *runs {
            rows.extend(
                measure(access, name, arguments, options).with_context(|| format!("measure {name}"))?,
            );
        }
    }
    if json {
        for row in &rows {
            println!("{}", serde_json::to_string(row)?);
        }
    } else {
        println!("{}\n", machine());
        print(&rows);
    }
    let missed = rows.iter().filter(|row| row.holds == Some(false)).count();
    if missed > 0 {
        bail!("bench: {missed} figures are not what they should be");
    }
    Ok(())
}

/// Whether a packet costs more in the kernel than it did.
pub(crate) fn check(access: &Access) -> Result<()> {
    access
        .cargo()?
        .args(["run", "--quiet", "--package", "tcpviewer", "--example", "kernel"])
        .args(["--", "--check"])
        .run()
        .context("compare the packet path with the floor")
}

/// The machine, without which times mean nothing.
fn machine() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let models: Vec<&str> = cpus
        .lines()
        .filter_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map(|(_, model)| model)
        .collect();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "{} CPUs ({}), Linux {}",
        models.len(),
        models.first().unwrap_or(&"of a kind that does not tell its name"),
        kernel.trim()
    )
}

fn measure(access: &Access, name: &str, arguments: &[&str], options: &[OsString]) -> Result<Vec<Row>> {
    let program = target_dir().join("release/examples").join(name);
    let run = match access {
        Access::Sudo => Run::new("sudo").args(["-n".as_ref(), program.as_os_str()]),
        Access::SudoAsks => Run::new("sudo").args([program]),
        Access::Own | Access::Denied(_) => Run::new(program),
    };
    let output = run.args(arguments).args(options).stdout()?;
    let rows = output.lines().map(serde_json::from_str);
    rows.collect::<Result<_, _>>()
        .with_context(|| format!("read the figures in {output:?}"))
}

fn print(rows: &[Row]) {
    println!(
        "{:<9} {:<56} {:>12} {:<6} {:>7} {:>7} {:<20} target",
        "part", "figure", "value", "unit", "spread", "ratio", "to"
    );
    for row in rows {
        let ratio = row.ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        let spread = row.spread.map_or_else(String::new, rounded);
        let compared_with = row.ratio_to.as_deref().unwrap_or_default();
        let target = row.target.as_deref().unwrap_or_default();
        let verdict = match row.holds {
            Some(true) => "holds",
            Some(false) => "MISSED",
            None => "",
        };
        println!(
            "{:<9} {:<56} {:>12} {:<6} {spread:>7} {ratio:>7} {compared_with:<20} {target} {verdict}",
            row.part,
            row.name,
            rounded(row.value),
            row.unit,
        );
    }
}

/// Whole numbers as they are, others with two digits behind the point.
fn rounded(value: f64) -> String {
    if value.fract() == 0.0 {
        format!("{value}")
    } else {
        format!("{value:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_may_lack_what_it_is_compared_with() {
        let text = r#"{"part":"fanout","name":"p99","value":12.5,"unit":"ms","spread":null,"ratio_to":null,"ratio":null,"target":null,"holds":null}"#;

        let row: Row = serde_json::from_str(text).unwrap();

        assert_eq!((rounded(row.value), row.holds), ("12.50".to_owned(), None));
        assert_eq!(serde_json::to_string(&row).unwrap(), text);
    }
}
