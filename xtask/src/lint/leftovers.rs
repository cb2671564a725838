//! Leftovers of unfinished work: marks that a thing is still to be done, macros that print or panic for the author
//! alone, and files that were added to the top level by accident. Looks at the files people write, in every language
//! of the repository.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use crate::exec::{Run, root};

/// Written in two halves so that this file has none of them.
const WORDS: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("dbg", "!"),
    concat!("todo", "!"),
];

/// Folders of the repository that people write in.
const FOLDERS: &[&str] = &[
    "tcpviewer",
    "tcpviewer-common",
    "tcpviewer-ebpf",
    "xtask",
    "proto",
    "web",
    ".github",
    ".ci",
];

/// Folders inside them whose files are built, installed or generated.
const SKIPPED: &[&str] = &[
    "target",
    "node_modules",
    "dist",
    "gen",
    "test-results",
    "data",
    "corpus",
];

const EXTENSIONS: &[&str] = &[
    "rs", "toml", "proto", "ts", "tsx", "js", "css", "html", "md", "yml", "yaml", "sh", "service",
];

/// Files of the top level that can be seen; settings of tools have names with a dot in front.
const TOP_LEVEL: &[&str] = &[
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
];

/// One line for every leftover.
pub(super) fn check() -> Result<Vec<String>> {
    let tracked = Run::new("git").args(["ls-files"]).output()?;
    let mut findings = strays(&tracked);
    for folder in FOLDERS {
        let folder = root().join(folder);
        if folder.is_dir() {
            in_folder(&folder, &mut findings)?;
        }
    }
    for file in ["Cargo.toml", "README.md"] {
        in_file(&root().join(file), &mut findings)?;
    }
    findings.sort_unstable();
    Ok(findings)
}

/// Files of the top level that do not belong there, among all that git tracks, one per line.
fn strays(tracked: &str) -> Vec<String> {
    tracked
        .lines()
        .filter(|path| !path.contains('/') && !path.starts_with('.') && !TOP_LEVEL.contains(path))
        .map(|path| format!("{path}: does not belong to the top level"))
        .collect()
}

fn in_folder(folder: &Path, findings: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if !SKIPPED.contains(&name.as_ref()) {
                in_folder(&path, findings)?;
            }
        } else if path
            .extension()
            .is_some_and(|extension| EXTENSIONS.iter().any(|known| extension == *known))
        {
            in_file(&path, findings)?;
        }
    }
    Ok(())
}

fn in_file(path: &Path, findings: &mut Vec<String>) -> Result<()> {
    if !path.is_file() {
        return Ok(());
    }
    let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let shown = path.strip_prefix(root()).unwrap_or(path).display();
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(word) = leftover(line) {
            findings.push(format!("{shown}:{number}: {word}"));
        }
    }
    Ok(())
}

/// The first leftover that stands as a word of its own.
fn leftover(line: &str) -> Option<&'static str> {
    let part_of_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    WORDS.iter().copied().find(|word| {
        line.match_indices(word).any(|(at, _)| {
            let before = line.get(..at).and_then(|text| text.chars().next_back());
            let after = line.get(at + word.len()..).and_then(|text| text.chars().next());
            !part_of_word(before) && (word.ends_with('!') || !part_of_word(after))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_got_into_the_top_level_is_found() {
        let tracked = ".gitignore\nCargo.toml\nREADME.md\nsome.whl\ntcpviewer/build.rs\n";

        assert_eq!(strays(tracked), ["some.whl: does not belong to the top level"]);
    }

    #[test]
    fn marks_and_macros_are_found_as_words_only() {
        let [to_do, fix_me, debug, unfinished] = WORDS else {
            panic!("four words")
        };

        assert_eq!(leftover(&format!("// {to_do}: later")), Some(*to_do));
        assert_eq!(leftover(&format!("/* {fix_me} */")), Some(*fix_me));
        assert_eq!(leftover(&format!("    {debug}(x)")), Some(*debug));
        assert_eq!(leftover(&format!("{unfinished}()")), Some(*unfinished));
        assert_eq!(leftover(&format!("{to_do}S and AUTO{to_do}")), None);
        assert_eq!(leftover("todo_macro = \"warn\""), None);
        assert_eq!(leftover(&format!("my_{debug}(x)")), None);
    }
}
