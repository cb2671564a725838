//! One validated configuration out of defaults, a file, the environment and flags, each later one winning.
//! In: what clap read (flags and environment) and the file. Out: a [`Config`] with one part per stage, or an
//! error that names the place.

mod api;

mod budgets;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, ValueEnum};
use glob::Pattern;
use serde::Deserialize;
use tcpviewer_common::limits::DEFAULT_MAX_CONNECTIONS;
use thiserror::Error;

pub use api::{ApiArgs, ApiConfig, Listen, TlsConfig};
use api::{ApiFile, OneOrMore};

use crate::model::Budgets;

const DEFAULT_UPDATE_INTERVAL: Duration = Duration::from_millis(250);
const DEFAULT_KEEP_CLOSED: Duration = Duration::from_secs(60);

/// Everything `tcpviewer run` needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where programs are attached, and how.
    pub attach: AttachConfig,
    /// A changing connection is reported at most once per this time.
    pub update_interval: Duration,
    /// How long an ended connection stays listed.
    pub keep_closed: Duration,
    /// What the daemon may cost.
    pub budgets: Budgets,
    /// Where the API and the dashboard are served, and to whom.
    pub api: ApiConfig,
    /// Form of the log.
    pub log_format: LogFormat,
}

/// Where programs are attached, and how.
#[derive(Clone, Debug)]
pub struct AttachConfig {
    /// Which interfaces.
    pub interfaces: Vec<InterfaceSelector>,
    /// By which hook.
    pub hook: HookChoice,
    /// By which hook packets are seen that come in.
    pub ingress_hook: IngressHook,
    /// Records the connection map can hold.
    pub max_connections: u32,
}

/// Which interfaces one `--interface` stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InterfaceSelector {
    /// All that are up.
    All,
    /// Exactly this one; it must exist at the start.
    Name(String),
    /// All whose names match.
    Glob(Pattern),
}

impl InterfaceSelector {
    /// Whether it stands for this interface.
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Name(wanted) => wanted == name,
            Self::Glob(pattern) => pattern.matches(name),
        }
    }
}

/// By which hook programs are attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HookChoice {
    /// TCX where the kernel has it, else clsact.
    Auto,
    /// TCX links (Linux 6.6 and newer).
    Tcx,
    /// Filters on a clsact queueing discipline.
    Clsact,
}

/// By which hook packets are seen that come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IngressHook {
    /// The same as those that go out.
    Tc,
    /// XDP, before the kernel's stack has them: in the driver where it can, else by the kernel in its place.
    Xdp,
}

/// Form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Flags and environment variables of `tcpviewer run`.
#[derive(Clone, Debug, Default, Args)]
pub struct ConfigArgs {
    /// Interface to watch: a name, a glob such as `eth*`, or `all`. Can be given several times [default: all]
    #[arg(
        long = "interface",
        value_name = "NAME|GLOB|all",
        env = "TCPVIEWER_INTERFACE",
        value_delimiter = ','
    )]
    pub interfaces: Vec<String>,

    /// Where the API listens, and who is let in.
    #[command(flatten)]
    pub api: ApiArgs,

    /// Configuration file (TOML); its keys are the names of these flags with `_` for `-`
    #[arg(long, value_name = "FILE", env = "TCPVIEWER_CONFIG")]
    pub config: Option<PathBuf>,

    /// A changing connection is reported at most once per this time [default: 250ms]
    #[arg(long, value_name = "TIME", env = "TCPVIEWER_UPDATE_INTERVAL")]
    pub update_interval: Option<String>,

    /// How long an ended connection stays listed [default: 60s]
    #[arg(long, value_name = "TIME", env = "TCPVIEWER_KEEP_CLOSED")]
    pub keep_closed: Option<String>,

    /// Connections followed at the same time; further ones are counted as not tracked [default: 262144]
    #[arg(long, value_name = "NUMBER", env = "TCPVIEWER_MAX_CONNECTIONS")]
    pub max_connections: Option<u32>,

    /// Memory that the daemon may take, such as `512MiB`: the resident memory of its process and what the kernel charges
    /// for its maps, together. Before it has that much, less is kept of the past and of ended connections, then new
    /// connections are not followed but counted [default: no limit]
    #[arg(long, value_name = "SIZE", env = "TCPVIEWER_MAX_MEMORY")]
    pub max_memory: Option<String>,

    /// CPU time that the daemon's process may take, in per cent of one core, as a mean over five seconds; what its
    /// programs in the kernel take with each packet is not part of it. Over that, intervals grow, then watched packets
    /// are sampled; counters stay exact [default: no limit]
    #[arg(long, value_name = "PERCENT", env = "TCPVIEWER_MAX_CPU")]
    pub max_cpu: Option<f64>,

    /// How programs are attached [default: auto]
    #[arg(long, value_enum, env = "TCPVIEWER_HOOK")]
    pub hook: Option<HookChoice>,

    /// How packets that come in are seen; with `xdp` also those that this host drops at once [default: tc]
    #[arg(long, value_enum, env = "TCPVIEWER_INGRESS_HOOK")]
    pub ingress_hook: Option<IngressHook>,

    /// Form of the log on stderr [default: text]
    #[arg(long, value_enum, env = "TCPVIEWER_LOG_FORMAT")]
    pub log_format: Option<LogFormat>,
}

/// What a configuration file may say.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    interface: Option<Vec<String>>,
    listen: Option<OneOrMore>,
    host: Option<OneOrMore>,
    tls_certificate: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    client_ca: Option<PathBuf>,
    access: Option<PathBuf>,
    insecure: Option<bool>,
    update_interval: Option<String>,
    keep_closed: Option<String>,
    max_connections: Option<u32>,
    max_memory: Option<String>,
    max_cpu: Option<f64>,
    hook: Option<HookChoice>,
    ingress_hook: Option<IngressHook>,
    log_format: Option<LogFormat>,
}

/// What is wrong with a configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("read configuration {}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The file is no TOML, or says what nobody asked for. The text names line and column.
    #[error("read configuration {}: {error}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        error: Box<toml::de::Error>,
    },
    /// A value does not fit.
    #[error("{name} {value:?}: {reason}")]
    Value {
        /// Name of the setting.
        name: &'static str,
        /// What was given.
        value: String,
        /// Why it does not fit, and what would.
        reason: String,
    },
}

impl Config {
    /// The configuration that these flags, and the file they name, ask for.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or understood, or a value does not fit.
    pub fn resolve(args: ConfigArgs) -> Result<Self, ConfigError> {
        let file = args
            .config
            .as_deref()
            .map_or_else(|| Ok(ConfigFile::default()), read_file)?;
        let interfaces = if args.interfaces.is_empty() {
            file.interface.unwrap_or_default()
        } else {
            args.interfaces
        };
        Ok(Self {
            attach: AttachConfig {
                interfaces: selectors(&interfaces)?,
                hook: args.hook.or(file.hook).unwrap_or(HookChoice::Auto),
                ingress_hook: args.ingress_hook.or(file.ingress_hook).unwrap_or(IngressHook::Tc),
                max_connections: max_connections(args.max_connections.or(file.max_connections))?,
            },
            update_interval: duration(
                "update-interval",
                args.update_interval.or(file.update_interval),
                DEFAULT_UPDATE_INTERVAL,
                Duration::from_millis(10)..=Duration::from_secs(60),
            )?,
            keep_closed: keep_closed(args.keep_closed.or(file.keep_closed), DEFAULT_KEEP_CLOSED)?,
            budgets: Budgets {
                memory_bytes: args
                    .max_memory
                    .or(file.max_memory)
                    .map(budgets::memory)
                    .transpose()?,
                cpu_percent: args.max_cpu.or(file.max_cpu).map(budgets::cpu).transpose()?,
            },
            api: api::resolve(
                args.api,
                ApiFile {
                    listen: file.listen,
                    host: file.host,
                    tls_certificate: file.tls_certificate,
                    tls_key: file.tls_key,
                    client_ca: file.client_ca,
                    access: file.access,
                    insecure: file.insecure,
                },
            )?,
            log_format: args.log_format.or(file.log_format).unwrap_or(LogFormat::Text),
        })
    }
}

fn read_file(path: &Path) -> Result<ConfigFile, ConfigError> {
    let text = fs::read_to_string(path).map_err(|error| ConfigError::Unreadable {
        path: path.to_owned(),
        error,
    })?;
    toml::from_str(&text).map_err(|error| ConfigError::Malformed {
        path: path.to_owned(),
        error: Box::new(error),
    })
}

fn selectors(names: &[String]) -> Result<Vec<InterfaceSelector>, ConfigError> {
    if names.is_empty() {
        return Ok(vec![InterfaceSelector::All]);
    }
    names.iter().map(|name| selector(name.trim())).collect()
}

fn selector(name: &str) -> Result<InterfaceSelector, ConfigError> {
    let wrong = |reason: String| ConfigError::Value {
        name: "interface",
        value: name.to_owned(),
        reason,
    };
    if name == "all" {
        return Ok(InterfaceSelector::All);
    }
    if name.contains(['*', '?', '[']) {
        return Pattern::new(name)
            .map(InterfaceSelector::Glob)
            .map_err(|error| wrong(format!("not a pattern: {error}")));
    }
    // IFNAMSIZ of the kernel, less the final zero.
    if name.is_empty() || name.len() > 15 || name.contains(['/', ' ']) {
        return Err(wrong(String::from(
            "not the name of an interface (1 to 15 characters, no `/` or space)",
        )));
    }
    Ok(InterfaceSelector::Name(name.to_owned()))
}

/// How many connections there may be, if that many fit.
///
/// # Errors
///
/// When it is too few or too many.
pub fn max_connections(given: Option<u32>) -> Result<u32, ConfigError> {
    let number = given.unwrap_or(DEFAULT_MAX_CONNECTIONS);
    if (16..=16_777_216).contains(&number) {
        return Ok(number);
    }
    Err(ConfigError::Value {
        name: "max-connections",
        value: number.to_string(),
        reason: String::from("must be from 16 to 16777216"),
    })
}

/// How long an ended connection stays listed, if that fits.
///
/// # Errors
///
/// When it is no time, or too long.
pub fn keep_closed(given: Option<String>, default: Duration) -> Result<Duration, ConfigError> {
    duration(
        "keep-closed",
        given,
        default,
        Duration::ZERO..=Duration::from_secs(24 * 3600),
    )
}

fn duration(
    name: &'static str,
    given: Option<String>,
    default: Duration,
    allowed: std::ops::RangeInclusive<Duration>,
) -> Result<Duration, ConfigError> {
    let Some(value) = given else { return Ok(default) };
    let wrong = |reason: String| ConfigError::Value {
        name,
        value: value.clone(),
        reason,
    };
    let duration = humantime::parse_duration(&value)
        .map_err(|error| wrong(format!("not a time such as `250ms` or `1m`: {error}")))?;
    if allowed.contains(&duration) {
        return Ok(duration);
    }
    Err(wrong(format!(
        "must be from {} to {}",
        humantime::format_duration(*allowed.start()),
        humantime::format_duration(*allowed.end())
    )))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn with_file(text: &str, args: ConfigArgs) -> Result<Config, ConfigError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        Config::resolve(ConfigArgs {
            config: Some(file.path().to_owned()),
            ..args
        })
    }

    #[test]
    fn without_any_word_all_interfaces_and_loopback_are_taken() {
        let config = Config::resolve(ConfigArgs::default()).unwrap();
        assert_eq!(config.attach.interfaces, [InterfaceSelector::All]);
        assert_eq!(config.api.listen, ["127.0.0.1:50051".parse().unwrap()]);
        assert_eq!(config.keep_closed, Duration::from_secs(60));
        assert_eq!(config.attach.ingress_hook, IngressHook::Tc);
    }

    #[test]
    fn a_flag_wins_over_the_file() {
        let text = "interface = [\"eth*\", \"lo\"]\nkeep_closed = \"5m\"\nupdate_interval = \"1s\"\n\
                    ingress_hook = \"xdp\"\n";
        let args = ConfigArgs {
            keep_closed: Some(String::from("10s")),
            ..ConfigArgs::default()
        };
        let config = with_file(text, args).unwrap();
        assert_eq!(config.keep_closed, Duration::from_secs(10));
        assert_eq!(config.update_interval, Duration::from_secs(1));
        assert_eq!(config.attach.ingress_hook, IngressHook::Xdp);
        assert!(
            config
                .attach
                .interfaces
                .iter()
                .any(|selector| selector.matches("eth7"))
        );
        assert!(
            !config
                .attach
                .interfaces
                .iter()
                .any(|selector| selector.matches("wlan0"))
        );
    }

    #[test]
    fn a_wrong_file_is_named_with_the_line() {
        for (text, line) in [
            ("listen = \"127.0.0.1:1\"\ncolour = 3\n", "line 2"),
            ("\n\nlisten = 7\n", "line 3"),
            ("listen = [\n", "line 1"),
            ("listen = []\nhost = [\"a\", 1]\n", "line 2"),
            ("insecure = true\naccess = 1\n", "line 2"),
        ] {
            let error = with_file(text, ConfigArgs::default()).unwrap_err().to_string();
            assert!(error.contains(line), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_value_that_does_not_fit_is_named_with_what_would() {
        let args = |change: fn(&mut ConfigArgs)| {
            let mut args = ConfigArgs::default();
            change(&mut args);
            args
        };
        for (args, words) in [
            (
                args(|args| args.api.listen = vec![String::from("localhost")]),
                "not an IP address and port",
            ),
            (
                args(|args| args.api.listen = vec![String::from("0.0.0.0:1")]),
                "--insecure",
            ),
            (
                args(|args| args.update_interval = Some(String::from("fast"))),
                "250ms",
            ),
            (
                args(|args| args.update_interval = Some(String::from("1ms"))),
                "from 10ms",
            ),
            (args(|args| args.max_connections = Some(1)), "from 16"),
            (
                args(|args| args.max_memory = Some(String::from("much"))),
                "512MiB",
            ),
            (args(|args| args.max_cpu = Some(0.0)), "from 1"),
            (
                args(|args| args.interfaces = vec![String::from("a/b")]),
                "name of an interface",
            ),
            (
                args(|args| args.interfaces = vec![String::from("eth[")]),
                "not a pattern",
            ),
            (
                args(|args| args.config = Some(PathBuf::from("/nonexistent"))),
                "read configuration",
            ),
        ] {
            let error = Config::resolve(args).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
