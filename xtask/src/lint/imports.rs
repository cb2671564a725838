//! Order of imports in the daemon: data runs through the stages in one direction, so a stage may name itself and
//! the stages before it; `verdict` and `filter` are functions of the model alone. Only some stages may see
//! the kernel's or the wire's types. `paths` reads what a file names; the rules are here.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use self::paths::{NamedPath, paths};
use crate::exec::root;

mod paths;

/// The stages in the order data passes them; two on one line do not name each other.
const ORDER: &[&[&str]] = &[
    &["model"],
    &["config"],
    &["budget"],
    &["attach"],
    &["capture"],
    &["sockets"],
    &["owners"],
    &["verdict", "filter"],
    &["table"],
    &["publish", "history"],
    &["api"],
    &["metrics"],
];

/// Stages that know the model and nothing else of the crate.
const PURE: &[&str] = &["model", "verdict", "filter"];

/// Files that wire the stages together, or talk to a daemon from outside, and may name all of them.
const WIRING: &[&str] = &["lib", "main", "daemon", "cli"];

/// The module of generated messages.
const GENERATED: &str = "proto";

/// Crates, by the start of their names, and generated code, with the stages that may see them.
const RESTRICTED: &[(&str, &[&str])] = &[
    ("aya", &["attach", "capture", "owners"]),
    ("prost", &["api", "cli", GENERATED]),
    (GENERATED, &["api", "cli"]),
];

/// One line for every import that goes the wrong way.
pub(super) fn check() -> Result<Vec<String>> {
    let source = root().join("tcpviewer/src");
    let mut findings = Vec::new();
    for file in rust_files(&source)? {
        let text = fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
        let module = module_of(file.strip_prefix(&source)?);
        let shown = file.strip_prefix(root()).unwrap_or(&file).display();
        findings.extend(
            in_file(&module, &text)
                .into_iter()
                .map(|(line, text)| format!("{shown}:{line}: {text}")),
        );
    }
    Ok(findings)
}

fn rust_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// `table/rates.rs` is `["table", "rates"]`; `lib.rs` and `main.rs` are named although they are the root.
fn module_of(file: &Path) -> Vec<String> {
    let mut names: Vec<_> = file
        .with_extension("")
        .iter()
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    if names.last().is_some_and(|name| name == "mod") {
        names.pop();
    }
    names
}

fn in_file(module: &[String], text: &str) -> Vec<(usize, String)> {
    let stage = module.first().map_or("lib", String::as_str);
    let top_level = module.len() == 1 && ["lib", "main"].contains(&stage);
    let base = if top_level { &[] } else { module };
    let mut findings: Vec<_> = paths(base, text)
        .into_iter()
        .filter_map(|(line, path)| Some((line, objection(stage, &path)?)))
        .collect();
    findings.dedup();
    findings
}

/// Why the stage may not name the path, if it may not.
fn objection(stage: &str, path: &NamedPath) -> Option<String> {
    let rank = |name: &str| ORDER.iter().position(|group| group.contains(&name));
    match path {
        NamedPath::External(name) => may_see(stage, name),
        NamedPath::Module(named) => {
            if let Some(objection) = may_see(stage, named) {
                return Some(objection);
            }
            if named == stage || named == GENERATED || WIRING.contains(&stage) {
                return None;
            }
            if WIRING.contains(&named.as_str()) {
                return Some(format!(
                    "`{stage}` names `{named}`, which stands above all stages"
                ));
            }
            let (Some(own), Some(other)) = (rank(stage), rank(named)) else {
                // Types and functions of the root module are nobody's stage.
                let unknown = if rank(stage).is_none() { stage } else { named };
                return is_module(unknown).then(|| {
                    format!("`{unknown}` has no place in the order of stages (xtask/src/lint/imports.rs)")
                });
            };
            if PURE.contains(&stage) && named != "model" {
                return Some(format!("`{stage}` names `{named}` and may name only `model`"));
            }
            (other >= own).then(|| format!("`{stage}` names `{named}`, a later stage"))
        }
    }
}

fn may_see(stage: &str, name: &str) -> Option<String> {
    let belongs = |prefix: &str| {
        name.strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    };
    let (_, allowed) = RESTRICTED.iter().find(|(prefix, _)| belongs(prefix))?;
    (!allowed.contains(&stage)).then(|| {
        format!(
            "`{stage}` names `{name}`, which belongs to {}",
            allowed.join(", ")
        )
    })
}

fn is_module(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && root()
            .join("tcpviewer/src")
            .join(name)
            .with_extension("rs")
            .is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(file: &str, text: &str, expected: &[&str]) {
        let findings: Vec<_> = in_file(&module_of(Path::new(file)), text)
            .into_iter()
            .map(|(line, finding)| format!("{line}: {finding}"))
            .collect();
        assert_eq!(findings, expected, "{file}: {text}");
    }

    #[test]
    fn a_stage_names_itself_and_earlier_stages() {
        check(
            "table.rs",
            "use crate::{model::Connection, capture, verdict::Verdict};",
            &[],
        );
        check(
            "table/rates.rs",
            "use crate::table::order::Order;\nuse super::expire;",
            &[],
        );
        check("api.rs", "let cursor = crate::publish::Cursor::new();", &[]);
    }

    #[test]
    fn a_later_stage_is_found_in_every_form() {
        let later = "`table` names `publish`, a later stage";
        check(
            "table.rs",
            "use crate::publish::Cursor;",
            &[&format!("1: {later}")],
        );
        check("table.rs", "use crate::publish;", &[&format!("1: {later}")]);
        check("table.rs", "use crate::publish as p;", &[&format!("1: {later}")]);
        check(
            "table.rs",
            "use crate::{\n    model,\n    publish::{self, Cursor},\n};",
            &[&format!("3: {later}")],
        );
        check(
            "table.rs",
            "use {crate::publish::*, std::fmt};",
            &[&format!("1: {later}")],
        );
        check(
            "table.rs",
            "fn f() {\n    crate::publish::f()\n}",
            &[&format!("2: {later}")],
        );
        check(
            "table.rs",
            "fn f(x: Vec<crate::publish::Cursor>) {}",
            &[&format!("1: {later}")],
        );
        check("table.rs", "use super::publish;", &[&format!("1: {later}")]);
        check(
            "table/rates.rs",
            "use super::super::publish;",
            &[&format!("1: {later}")],
        );
        check(
            "table/rates.rs",
            "pub use super::{super::publish, order};",
            &[&format!("1: {later}")],
        );
        check(
            "table/mod.rs",
            "pub(crate) use crate::publish::Cursor;",
            &[&format!("1: {later}")],
        );
    }

    #[test]
    fn super_leads_out_of_a_module_written_in_the_file_first() {
        check(
            "table.rs",
            "mod tests {\n    use super::*;\n    use super::publish;\n}",
            &[],
        );
        check(
            "table.rs",
            "mod tests { fn f() {} }\nuse super::publish;",
            &["2: `table` names `publish`, a later stage"],
        );
        check(
            "table.rs",
            "mod tests { use super::super::publish; }",
            &["1: `table` names `publish`, a later stage"],
        );
    }

    #[test]
    fn comments_strings_and_foreign_paths_are_not_imports() {
        check(
            "table.rs",
            "/// See [`crate::publish`].\n// use crate::publish;\n/* /* crate::publish */ crate::api */",
            &[],
        );
        check(
            "table.rs",
            r###"let a = "crate::publish \" crate::api"; let b = r#"crate::publish""#;"###,
            &[],
        );
        check(
            "table.rs",
            "let quote = '\"'; let c = '\\''; fn f<'a>(x: &'a str) {}\nuse crate::api;",
            &["2: `table` names `api`, a later stage"],
        );
        check("table.rs", "use other::publish; use std::{api, publish};", &[]);
    }

    #[test]
    fn the_model_and_the_pure_stages_name_nothing_but_the_model() {
        check(
            "model.rs",
            "use crate::config::Config;",
            &["1: `model` names `config` and may name only `model`"],
        );
        check("verdict.rs", "use crate::model::Connection;", &[]);
        check(
            "filter/eval.rs",
            "use crate::capture;",
            &["1: `filter` names `capture` and may name only `model`"],
        );
        check(
            "verdict.rs",
            "use crate::filter;",
            &["1: `verdict` names `filter` and may name only `model`"],
        );
    }

    #[test]
    fn kernel_types_stay_in_the_sources_and_wire_types_at_the_edge() {
        check("capture/events.rs", "use aya::maps::RingBuf;", &[]);
        check("api/convert.rs", "use prost_types::Timestamp;", &[]);
        check("cli/watch.rs", "use crate::proto::WatchRequest;", &[]);
        check(
            "table.rs",
            "use aya::maps::Map;",
            &["1: `table` names `aya`, which belongs to attach, capture, owners"],
        );
        check(
            "daemon.rs",
            "// aya_log::init();\naya_log::EbpfLogger::init();",
            &["2: `daemon` names `aya_log`, which belongs to attach, capture, owners"],
        );
        check(
            "publish.rs",
            "use {prost::Message, std::fmt};",
            &["1: `publish` names `prost`, which belongs to api, cli, proto"],
        );
        check(
            "publish.rs",
            "fn f(m: ::prost::Message) {}",
            &["1: `publish` names `prost`, which belongs to api, cli, proto"],
        );
        check(
            "model.rs",
            "use crate::proto::Connection;",
            &["1: `model` names `proto`, which belongs to api, cli"],
        );
    }

    #[test]
    fn wiring_names_every_stage_and_no_stage_names_the_wiring() {
        check("daemon.rs", "use crate::{api, attach, table};", &[]);
        check("cli/run.rs", "use crate::daemon;", &[]);
        check("lib.rs", "pub use crate::api::serve; pub mod model;", &[]);
        check(
            "api.rs",
            "use crate::daemon;",
            &["1: `api` names `daemon`, which stands above all stages"],
        );
    }
}
