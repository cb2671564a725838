//! The access file. In: TOML with tokens (as SHA-256), names in client certificates, and users of this host, each
//! with a role. Out: the list that requests are looked up in, or an error that names the line but does not show it,
//! for a token may have been pasted where its hash belongs.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use nix::unistd::User;
use serde::Deserialize;
use toml::{
    Spanned,
    value::{Datetime, Offset},
};

use super::{Entry, Listed, Role, TokenHash};

/// What an access file may say.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default, rename = "token")]
    tokens: Vec<Spanned<TokenEntry>>,
    #[serde(default, rename = "certificate")]
    certificates: Vec<Spanned<CertificateEntry>>,
    #[serde(default, rename = "user")]
    users: Vec<Spanned<UserEntry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenEntry {
    name: String,
    sha256: Hash,
    role: Role,
    expires: Option<Expiry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CertificateEntry {
    name: String,
    role: Role,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserEntry {
    name: Option<String>,
    uid: Option<u32>,
    role: Role,
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Hash(TokenHash);

impl TryFrom<String> for Hash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let problem = "sha256 must be the SHA-256 of the token, 64 hexadecimal digits; \
                       `tcpviewer token` makes a token and the entry for it";
        let mut hash = TokenHash::default();
        if text.len() != 2 * hash.len() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(problem);
        }
        for (byte, index) in hash.iter_mut().zip((0..).step_by(2)) {
            let digits = text.get(index..index + 2).ok_or(problem)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_error| problem)?;
        }
        Ok(Self(hash))
    }
}

#[derive(Deserialize)]
// Any value, for the library would show one of another type.
#[serde(try_from = "toml::Value")]
struct Expiry(SystemTime);

impl TryFrom<toml::Value> for Expiry {
    type Error = &'static str;

    fn try_from(given: toml::Value) -> Result<Self, Self::Error> {
        let problem = "expires must be a moment with its zone, such as 2030-01-31T12:00:00Z; \
                       `tcpviewer token --expires-in` writes one";
        let toml::Value::Datetime(Datetime {
            date: Some(date),
            time: Some(time),
            offset: Some(offset),
        }) = given
        else {
            return Err(problem);
        };
        let local = humantime::parse_rfc3339(&format!("{date}T{time}Z")).map_err(|_out_of_range| problem)?;
        let east = match offset {
            Offset::Z => 0,
            Offset::Custom { minutes } => minutes,
        };
        let shift = Duration::from_secs(60 * u64::from(east.unsigned_abs()));
        let moment = if east < 0 {
            local.checked_add(shift)
        } else {
            local.checked_sub(shift)
        };
        moment.map(Self).ok_or(problem)
    }
}

/// What is wrong with an access file.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// It cannot be read.
    #[error("read access file {}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It says what cannot be.
    #[error("read access file {}: line {line}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Why, and what would fit.
        reason: String,
    },
}

/// Reads an access file. Asks the system for the numbers of the users it names.
pub(in crate::api) fn read(path: &Path) -> Result<Listed, AccessError> {
    let text = fs::read_to_string(path).map_err(|error| AccessError::Unreadable {
        path: path.to_owned(),
        error,
    })?;
    parse(&text, uid_of).map_err(|(offset, reason)| AccessError::Malformed {
        path: path.to_owned(),
        line: text.get(..offset).unwrap_or(&text).matches('\n').count() + 1,
        reason,
    })
}

/// Finds the number of a user, or says why not.
type UidOf = fn(&str) -> Result<u32, String>;

/// The list, or the place of the first problem in bytes and what it is.
fn parse(text: &str, uid_of: UidOf) -> Result<Listed, (usize, String)> {
    let file: File = toml::from_str(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        (offset, error.message().to_owned())
    })?;
    let mut listed = Listed::default();
    for entry in file.tokens {
        let (start, entry) = (entry.span().start, entry.into_inner());
        let TokenEntry {
            name,
            sha256,
            role,
            expires,
        } = entry;
        let known = listed.tokens.values().any(|known| known.name == name);
        let entry = Entry {
            name: named(name).map_err(|reason| (start, reason))?,
            role,
            expires: expires.map(|expiry| expiry.0),
        };
        if known || listed.tokens.insert(sha256.0, entry).is_some() {
            return Err((
                start,
                String::from("a token with this name or hash is listed above"),
            ));
        }
    }
    for entry in file.certificates {
        let (start, CertificateEntry { name, role }) = (entry.span().start, entry.into_inner());
        let name = named(name)
            .map_err(|reason| (start, reason))?
            .to_ascii_lowercase();
        let entry = Entry {
            name: name.clone(),
            role,
            expires: None,
        };
        if listed.certificates.insert(name, entry).is_some() {
            return Err((start, String::from("this certificate is listed above")));
        }
    }
    for entry in file.users {
        let (start, entry) = (entry.span().start, entry.into_inner());
        let (uid, name) = match (entry.uid, entry.name) {
            (Some(uid), None) => (uid, format!("user {uid}")),
            (None, Some(name)) => (uid_of(&name).map_err(|reason| (start, reason))?, name),
            (Some(_), Some(_)) | (None, None) => {
                return Err((start, String::from("a user has a name or a uid, one of the two")));
            }
        };
        let entry = Entry {
            name,
            role: entry.role,
            expires: None,
        };
        if listed.users.insert(uid, entry).is_some() {
            return Err((start, String::from("this user is listed above")));
        }
    }
    Ok(listed)
}

fn named(name: String) -> Result<String, String> {
    if name.trim().is_empty() {
        return Err(String::from("name must not be empty"));
    }
    Ok(name)
}

fn uid_of(name: &str) -> Result<u32, String> {
    match User::from_name(name) {
        Ok(Some(user)) => Ok(user.uid.as_raw()),
        Ok(None) => Err(format!("this host has no user {name:?}")),
        Err(error) => Err(format!("look for user {name:?}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::access::token_hash;

    fn parse_with_alice(text: &str) -> Result<Listed, (usize, String)> {
        parse(text, |name| {
            (name == "alice")
                .then_some(1000)
                .ok_or_else(|| String::from("no such user"))
        })
    }

    fn hex(token: &str) -> String {
        token_hash(token.as_bytes())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    #[test]
    fn every_kind_of_entry_is_taken() {
        let text = format!(
            "[[token]]\nname = \"grafana\"\nsha256 = \"{}\"\nrole = \"connections\"\n\
             [[token]]\nname = \"ci\"\nsha256 = \"{}\"\nrole = \"packets\"\nexpires = 2030-01-01T02:30:00+02:30\n\
             [[certificate]]\nname = \"Ops.Example.org\"\nrole = \"control\"\n\
             [[user]]\nname = \"alice\"\nrole = \"packets\"\n\
             [[user]]\nuid = 7\nrole = \"connections\"\n",
            hex("secret").to_uppercase(),
            hex("other")
        );

        let listed = parse_with_alice(&text).unwrap();

        assert_eq!(listed.tokens[&token_hash(b"secret")].name, "grafana");
        assert_eq!(listed.tokens[&token_hash(b"secret")].expires, None);
        let expires = humantime::parse_rfc3339("2030-01-01T00:00:00Z").unwrap();
        assert_eq!(listed.tokens[&token_hash(b"other")].expires, Some(expires));
        assert_eq!(listed.certificates["ops.example.org"].role, Role::Control);
        assert_eq!(listed.users[&1000].role, Role::Packets);
        assert_eq!(listed.users[&7].name, "user 7");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line_and_without_its_value() {
        let hash = hex("secret");
        let token = format!("[[token]]\nname = \"a\"\nsha256 = \"{hash}\"\nrole = \"packets\"\n");
        let file = tempfile::NamedTempFile::new().unwrap();
        for (text, line, words) in [
            (
                "[[token]]\nname = \"a\"\nsha256 = \"tcpviewer_hidden\"\nrole = \"packets\"\n",
                3,
                "64 hexadecimal",
            ),
            (
                &format!(
                    "[[token]]\nname = \"a\"\nsha256 = \"{}é\"\nrole = \"packets\"\n",
                    &hash[2..]
                ),
                3,
                "64 hex",
            ),
            (
                &format!("{token}expires = 2030-01-31\n"),
                5,
                "a moment with its zone",
            ),
            (
                &format!("{token}expires = 2030-01-31T12:00:00\n"),
                5,
                "a moment with its zone",
            ),
            (
                &format!("{token}expires = 1960-01-31T12:00:00Z\n"),
                5,
                "a moment with its zone",
            ),
            (
                &format!("{token}expires = \"hidden\"\n"),
                5,
                "a moment with its zone",
            ),
            (
                "[[user]]\nuid = 1\nrole = \"packets\"\nexpires = 2030-01-31T12:00:00Z\n",
                4,
                "unknown field",
            ),
            ("[[user]]\nuid = 1\nrole = \"root\"\n", 3, "unknown variant"),
            ("[[user]]\nuid = 1\n", 1, "role"),
            ("\n[[user]]\nrole = \"packets\"\n", 2, "a name or a uid"),
            (
                "[[user]]\nname = \"hiddenuser\"\nuid = 2\nrole = \"packets\"\n",
                1,
                "a name or a uid",
            ),
            ("[[user]]\nuid = -1\nrole = \"packets\"\n", 2, "invalid value"),
            (
                "[[certificate]]\nname = \" \"\nrole = \"packets\"\n",
                1,
                "must not be empty",
            ),
            ("[[tokens]]\n", 1, "unknown field"),
            ("token = \n", 1, ""),
            (&format!("{token}{token}"), 5, "listed above"),
            (
                "[[user]]\nuid = 1\nrole = \"packets\"\n[[user]]\nuid = 1\nrole = \"control\"\n",
                4,
                "listed above",
            ),
        ] {
            fs::write(file.path(), text).unwrap();
            let error = read(file.path()).unwrap_err().to_string();
            assert!(
                error.contains(&format!(": line {line}: ")) && error.contains(words),
                "{text:?}: {error}"
            );
            assert!(!error.contains("hidden"), "{error}");
        }
    }

    #[test]
    fn a_user_that_this_host_does_not_have_is_named() {
        let text = "[[user]]\nname = \"nobody-of-that-name\"\nrole = \"packets\"\n";

        let (_offset, reason) = parse(text, uid_of).unwrap_err();

        assert_eq!(reason, "this host has no user \"nobody-of-that-name\"");
        assert_eq!(uid_of("root"), Ok(0));
    }
}
