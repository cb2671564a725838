//! `tcpviewer token`: makes a token for a client of the API. The entry for the access file goes to the standard output,
//! so that it can be appended there; the token itself is shown once, on the standard error, and kept nowhere.

use std::{
    io::{Write as _, stderr},
    time::{Duration, SystemTime},
};

use anyhow::Context as _;
use clap::Args;
use humantime::format_rfc3339_seconds;
use rustix::rand::{GetRandomFlags, getrandom};

use super::{
    client::{ClientError, unless_output_is_closed},
    output::output,
};
use crate::api::{Role, token_hash};

/// Tells people, and programs that look for secrets in the wrong places, what it is.
const PREFIX: &str = "tcpviewer_";

/// Longer than anybody will ask.
const MAX_LIFETIME: Duration = Duration::from_secs(1_000 * 366 * 24 * 60 * 60);

/// Options of `tcpviewer token`.
#[derive(Args, Clone, Debug)]
pub struct TokenArgs {
    /// Who gets the token; the log calls them so.
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub name: String,
    /// What they may do; each role includes those before it.
    #[arg(long, value_name = "ROLE", value_enum)]
    pub role: Role,
    /// After which time it is good for nothing any more, such as `90d`; without it, never.
    #[arg(long, value_name = "TIME", value_parser = lifetime)]
    pub expires_in: Option<Duration>,
}

/// Runs `tcpviewer token`.
///
/// # Errors
///
/// When the system has no random numbers, or the entry cannot be written.
pub fn token(args: &TokenArgs) -> anyhow::Result<()> {
    let token = format!("{PREFIX}{}", hex(&random()?));
    // The name as a TOML string, whatever is in it.
    let name = toml::Value::from(args.name.as_str());
    let hash = hex(&token_hash(token.as_bytes()));
    let expires = args
        .expires_in
        .and_then(|lifetime| SystemTime::now().checked_add(lifetime));
    let expires = expires.map(|expires| format!("expires = {}\n", format_rfc3339_seconds(expires)));
    let mut output = output();
    let written = write!(
        output,
        "[[token]]\nname = {name}\nsha256 = \"{hash}\"\nrole = \"{}\"\n{}",
        args.role,
        expires.unwrap_or_default()
    )
    .and_then(|()| output.flush());
    unless_output_is_closed(written.map_err(ClientError::Output))?;
    writeln!(
        stderr(),
        "token of {name}, shown this once: {token}\n\
         put the lines above into the access file; clients take the token from --token-file or TCPVIEWER_TOKEN"
    )
    .context("write the token to the standard error")
}

/// 256 bits that nobody can guess.
fn random() -> anyhow::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        filled += getrandom(rest, GetRandomFlags::empty()).context("ask the system for random numbers")?;
    }
    Ok(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the access file can say: years have four digits.
fn lifetime(text: &str) -> Result<Duration, String> {
    let lifetime = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if lifetime < Duration::from_secs(1) || lifetime > MAX_LIFETIME {
        return Err("must be at least one second and at most 1000 years".into());
    }
    Ok(lifetime)
}

fn name(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("must not be empty".into());
    }
    Ok(text.to_owned())
}
