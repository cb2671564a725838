//! Reads the paths that a Rust file names, in `use` and in code, as far as their first module: comments and
//! literals are left out, `crate`, `self` and `super` are followed to where they lead. Knows no rules.

#[derive(Debug, PartialEq)]
pub(super) enum NamedPath {
    /// The first module of a path inside the crate.
    Module(String),
    /// The first word of any other path: another crate, or something imported.
    External(String),
}

/// Every path of a file with its line. `base` is the file's module; modules written inside it are followed.
pub(super) fn paths(base: &[String], text: &str) -> Vec<(usize, NamedPath)> {
    let tokens = &tokens(text);
    let mut found = Vec::new();
    let mut module = base.to_vec();
    let mut depth = 0;
    // Depth at which each module written in this file began.
    let mut opened = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let previous = at
            .checked_sub(1)
            .and_then(|before| tokens.get(before))
            .map(|token| token.text);
        let next = tokens.get(at + 1).map(|token| token.text);
        match token.text {
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                if opened.last() == Some(&depth) {
                    opened.pop();
                    module.pop();
                }
            }
            "mod" if tokens.get(at + 2).is_some_and(|token| token.text == "{") => {
                module.extend(next.map(str::to_owned));
                opened.push(depth);
                at += 2;
                depth += 1;
            }
            // A path from the list of crates: nothing that could be a type or module stands before it.
            "::" if previous.is_none_or(|before| !is_word(before) && before != ">") => {
                at = tree(&module, None, tokens, at, &mut found) - 1;
            }
            "use" => at = tree(&module, None, tokens, at + 1, &mut found) - 1,
            word if previous != Some("::") && next == Some("::") && is_word(word) => {
                at = tree(&module, None, tokens, at, &mut found) - 1;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Reads one path, or a tree of them in braces, that starts at `at` under `prefix` (`None` where nothing has been
/// read yet) and returns where it ends. Once the module is known the rest of the path says nothing more.
fn tree(
    module: &[String],
    mut prefix: Option<Vec<String>>,
    tokens: &[Token<'_>],
    mut at: usize,
    found: &mut Vec<(usize, NamedPath)>,
) -> usize {
    while let Some(token) = tokens.get(at) {
        match token.text {
            "::" => {}
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token.text != "}") {
                    // A comma, or anything that cannot be read, is stepped over.
                    at = tree(module, prefix.clone(), tokens, at, found).max(at + 1);
                }
                return at + 1;
            }
            "crate" => prefix = Some(Vec::new()),
            "self" => prefix = Some(prefix.unwrap_or_else(|| module.to_vec())),
            "super" => {
                let mut parent = prefix.unwrap_or_else(|| module.to_vec());
                parent.pop();
                prefix = Some(parent);
            }
            word if is_word(word) => {
                let named = match prefix.as_deref() {
                    None => NamedPath::External(word.to_owned()),
                    Some([]) => NamedPath::Module(word.to_owned()),
                    Some([first, ..]) => NamedPath::Module(first.clone()),
                };
                found.push((token.line, named));
                return past(tokens, at + 1);
            }
            _ => return at,
        }
        at += 1;
    }
    at
}

/// Steps over the rest of a path whose first module is known: `::name`, `::*`, `::{…}`, `as name`.
fn past(tokens: &[Token<'_>], mut at: usize) -> usize {
    while let Some(token) = tokens.get(at) {
        let follows_colons = tokens.get(at - 1).is_some_and(|token| token.text == "::");
        match token.text {
            "::" | "as" => at += 1,
            "{" if follows_colons => {
                let mut depth = 0;
                while let Some(token) = tokens.get(at) {
                    depth += i32::from(token.text == "{") - i32::from(token.text == "}");
                    at += 1;
                    if depth == 0 {
                        break;
                    }
                }
                return at;
            }
            word if follows_colons && (word == "*" || is_word(word)) => at += 1,
            _ => return at,
        }
    }
    at
}

fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Token<'a> {
    text: &'a str,
    line: usize,
}

/// Words, `::` and single characters; comments, strings, characters and lifetimes are left out.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            _ if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            _ if rest.starts_with("/*") => block_comment(rest),
            '"' => string(rest),
            '\'' => character_or_lifetime(rest),
            _ if raw_string(rest).is_some() => raw_string(rest).unwrap_or(1),
            _ if is_word(rest) => rest
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len()),
            _ if rest.starts_with("::") => 2,
            _ => first.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        if is_word(token) && !token.ends_with(['"', '#']) || token == "::" || is_sign(token) {
            tokens.push(Token { text: token, line });
        }
        line += token.matches('\n').count();
        rest = after;
    }
    tokens
}

fn is_sign(token: &str) -> bool {
    token.len() == 1
        && !token.starts_with(|c: char| c.is_whitespace() || c.is_ascii_digit() || "\"'".contains(c))
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// Length of a string literal that starts with its quote.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Length of `r"…"`, `r#"…"#`, and the same with `b` or `c` before it.
fn raw_string(text: &str) -> Option<usize> {
    let start = text.strip_prefix(['b', 'c']).unwrap_or(text).strip_prefix('r')?;
    let quoted = start.trim_start_matches('#');
    let hashes = start.len() - quoted.len();
    let body = quoted.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = body.find(&end).map_or(body.len(), |at| at + end.len());
    Some(text.len() - body.len() + length)
}

/// Length of `'x'`, `'\n'` or of the quote of a lifetime.
fn character_or_lifetime(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    match (characters.next(), characters.next()) {
        (Some((_, '\\')), Some((after, _))) => text
            .get(after + 1..)
            .and_then(|rest| rest.find('\''))
            .map_or(1, |end| after + 2 + end),
        (Some(_), Some((end, '\''))) => end + 1,
        _ => 1,
    }
}
