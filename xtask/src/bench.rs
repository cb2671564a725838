//! `bench`: measures what the daemon bears, part by part, and compares it with what it should. Each part is an example
//! of the daemon's crate that prints one row per figure as JSON; this builds and runs them and prints a table, or the
//! rows as they are.

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::exec::{Run, target_dir};

/// One figure.
#[derive(Deserialize, Serialize)]
struct Row {
    part: String,
    name: String,
    value: f64,
    unit: String,
    /// What it is compared with, and how many times that it is.
    ratio_to: Option<String>,
    ratio: Option<f64>,
    /// What it should be, and whether it is.
    target: Option<String>,
    holds: Option<bool>,
}

/// The parts, and how each is run.
const PARTS: [(&str, &[&[&str]]); 1] = [("fanout", &[&[], &["--reading", "16", "--silent", "0", "--worst"]])];

pub(crate) fn bench(part: Option<&str>, json: bool) -> Result<()> {
    let parts: Vec<_> = PARTS
        .iter()
        .filter(|(name, _runs)| part.is_none_or(|part| part == *name))
        .collect();
    if parts.is_empty() {
        let names = PARTS.map(|(name, _runs)| name).join(", ");
        bail!(
            "bench {}: no such part; there are {names}",
            part.unwrap_or_default()
        );
    }
    Run::new("cargo")
        .args([
            "build",
            "--quiet",
            "--release",
            "--package",
            "tcpviewer",
            "--examples",
        ])
        .output()?;
    let mut rows = Vec::new();
    for (name, runs) in parts {
        for arguments in *runs {
            rows.extend(measure(name, arguments).with_context(|| format!("measure {name}"))?);
        }
    }
    if json {
        for row in &rows {
            println!("{}", serde_json::to_string(row)?);
        }
    } else {
        print(&rows);
    }
    let missed = rows.iter().filter(|row| row.holds == Some(false)).count();
    if missed > 0 {
        bail!("bench: {missed} figures are not what they should be");
    }
    Ok(())
}

fn measure(name: &str, arguments: &[&str]) -> Result<Vec<Row>> {
    let program = target_dir().join("release/examples").join(name);
    let output = Run::new(program).args(arguments).output()?;
    let rows = output.lines().map(serde_json::from_str);
    rows.collect::<Result<_, _>>()
        .with_context(|| format!("read the figures in {output:?}"))
}

fn print(rows: &[Row]) {
    println!(
        "{:<10} {:<44} {:>14} {:<10} {:>8}  target",
        "part", "figure", "value", "unit", "ratio"
    );
    for row in rows {
        let ratio = row.ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        let target = row.target.as_deref().unwrap_or_default();
        let verdict = match row.holds {
            Some(true) => "holds",
            Some(false) => "MISSED",
            None => "",
        };
        println!(
            "{:<10} {:<44} {:>14} {:<10} {ratio:>8}  {target} {verdict}",
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
        let text = r#"{"part":"fanout","name":"p99","value":12.5,"unit":"ms","ratio_to":null,"ratio":null,"target":null,"holds":null}"#;

        let row: Row = serde_json::from_str(text).unwrap();

        assert_eq!((rounded(row.value), row.holds), ("12.50".to_owned(), None));
        assert_eq!(serde_json::to_string(&row).unwrap(), text);
    }
}
