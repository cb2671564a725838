//! `test`: every check in the order a person would want to hear about it (texts, contract, dashboard, host
//! crates, kernel), each with a heading and its time, and a table at the end.

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    bench,
    exec::{Run, root},
    instructions, lint,
    privilege::{Access, Situation, TESTS},
    proto, setup, verify,
};

type Step<'a> = (&'static str, &'a dyn Fn() -> Result<()>);

pub(crate) fn test(skip_setup: bool, keep_going: bool) -> Result<()> {
    let situation = Situation::now();
    let access = match situation.decide(TESTS) {
        access @ (Access::Own | Access::Sudo) => access,
        // A password that times out half-way through the kernel tests helps nobody.
        Access::SudoAsks => {
            bail!("cargo xtask test: needs root or a sudo that does not ask\n  run `sudo -v` first")
        }
        Access::Denied(missing) => return Err(situation.explain("test", TESTS, &missing)),
    };
    let kernel = || kernel_tests(&access);
    let verify = || verify::with(&access);
    let cost = || bench::check(&access);
    let mut steps: Vec<Step<'_>> = vec![
        ("setup", &|| setup::setup(true)),
        ("lint", &lint::lint),
        ("proto", &|| proto::proto(true)),
        ("web lint", &|| npm("lint")),
        ("web types", &|| npm("typecheck")),
        ("web tests", &|| npm("test")),
        ("web build", &|| npm("build")),
        ("host tests", &host_tests),
        ("instructions", &|| instructions::instructions(false)),
        ("kernel tests", &kernel),
        ("verifier", &verify),
        ("kernel cost", &cost),
    ];
    if skip_setup {
        steps.remove(0);
    }
    report(&in_order(&steps, keep_going))
}

fn npm(script: &str) -> Result<()> {
    // Without CI a test runner may wait for changes, and may write a snapshot that it should compare.
    Run::new("npm")
        .args(["run", script])
        .dir("web")
        .env("CI", "1")
        .run()
}

/// What needs no rights: units and documentation of every crate, and the integration tests of the leaf.
fn host_tests() -> Result<()> {
    Run::new("cargo")
        .args(["test", "-p", "tcpviewer-common", "-p", "xtask", "--all-features"])
        .run()?;
    Run::new("cargo")
        .args(["test", "-p", "tcpviewer", "--all-features", "--lib", "--bins"])
        .run()?;
    Run::new("cargo")
        .args(["test", "-p", "tcpviewer", "--all-features", "--doc"])
        .run()
}

/// The integration tests of the daemon: namespaces, real traffic, a real browser.
fn kernel_tests(access: &Access) -> Result<()> {
    let folder = root().join("tcpviewer/tests");
    let is_test = |entry: &fs::DirEntry| {
        entry
            .path()
            .extension()
            .is_some_and(|extension| extension == "rs")
    };
    if !fs::read_dir(&folder).is_ok_and(|mut entries| entries.any(|entry| entry.is_ok_and(|e| is_test(&e)))) {
        bail!("run kernel tests: there are none in {}", folder.display());
    }
    access
        .cargo()?
        .args([
            "test",
            "-p",
            "tcpviewer",
            "--all-features",
            "--test",
            "*",
            "--no-fail-fast",
        ])
        .run()
        .context("run kernel tests")
}

struct Outcome {
    step: &'static str,
    /// `None` for a step that was not reached.
    result: Option<Result<()>>,
    elapsed: Duration,
}

fn in_order(steps: &[Step<'_>], keep_going: bool) -> Vec<Outcome> {
    let mut stopped = false;
    let mut outcomes = Vec::new();
    for (number, (step, action)) in (1..).zip(steps) {
        if stopped {
            outcomes.push(Outcome {
                step,
                result: None,
                elapsed: Duration::ZERO,
            });
            continue;
        }
        println!("\n=== {number}/{} {step}", steps.len());
        let started = Instant::now();
        let result = action();
        let elapsed = started.elapsed();
        match &result {
            Ok(()) => println!("=== {step}: ok in {:.1} s", elapsed.as_secs_f32()),
            Err(error) => println!("=== {step}: FAILED in {:.1} s: {error:#}", elapsed.as_secs_f32()),
        }
        stopped = result.is_err() && !keep_going;
        outcomes.push(Outcome {
            step,
            result: Some(result),
            elapsed,
        });
    }
    outcomes
}

fn report(outcomes: &[Outcome]) -> Result<()> {
    println!("\n{}", table(outcomes));
    let failed: Vec<_> = outcomes
        .iter()
        .filter(|outcome| matches!(outcome.result, Some(Err(_))))
        .map(|outcome| outcome.step)
        .collect();
    if !failed.is_empty() {
        bail!("test: {} failed", failed.join(", "));
    }
    Ok(())
}

fn table(outcomes: &[Outcome]) -> String {
    let row = |step: &str, result: &str, seconds: &str| format!("{step:<14} {result:<8} {seconds:>8}\n");
    let mut text = row("step", "result", "seconds");
    for outcome in outcomes {
        let seconds = format!("{:.1}", outcome.elapsed.as_secs_f32());
        text += &match outcome.result {
            Some(Ok(())) => row(outcome.step, "ok", &seconds),
            Some(Err(_)) => row(outcome.step, "FAILED", &seconds),
            None => row(outcome.step, "not run", "-"),
        };
    }
    let total: Duration = outcomes.iter().map(|outcome| outcome.elapsed).sum();
    text + row("", "", &format!("{:.1}", total.as_secs_f32())).trim_end()
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    const STEPS: [Step<'_>; 3] = [
        ("first", &|| Ok(())),
        ("second", &|| Err(anyhow!("it broke"))),
        ("third", &|| Ok(())),
    ];

    fn results(outcomes: &[Outcome]) -> Vec<Option<bool>> {
        outcomes
            .iter()
            .map(|outcome| outcome.result.as_ref().map(Result::is_ok))
            .collect()
    }

    #[test]
    fn the_first_failure_stops_the_rest() {
        assert_eq!(results(&in_order(&STEPS, false)), [Some(true), Some(false), None]);
    }

    #[test]
    fn keep_going_runs_the_rest_and_still_fails() {
        let outcomes = in_order(&STEPS, true);

        assert_eq!(results(&outcomes), [Some(true), Some(false), Some(true)]);
        assert_eq!(report(&outcomes).unwrap_err().to_string(), "test: second failed");
    }

    #[test]
    fn the_table_has_a_line_for_every_step_and_the_sum() {
        let elapsed = Duration::from_millis(1500);
        let outcomes = [
            Outcome {
                step: "lint",
                result: Some(Ok(())),
                elapsed,
            },
            Outcome {
                step: "proto",
                result: Some(Err(anyhow!("it broke"))),
                elapsed,
            },
            Outcome {
                step: "host tests",
                result: None,
                elapsed: Duration::ZERO,
            },
        ];

        let expected = "\
step           result    seconds
lint           ok            1.5
proto          FAILED        1.5
host tests     not run         -
                             3.0";
        assert_eq!(table(&outcomes), expected);
    }
}
