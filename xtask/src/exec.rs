//! Runs other programs: prints each command line before it runs, gives it a search path that knows cargo's and
//! npm's programs, no standard input, and fails with what was run and how it ended.

use std::{
    env,
    ffi::{OsStr, OsString},
    fmt, fs,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::OnceLock,
};

use anyhow::{Context as _, Result, bail};

/// A program with its arguments, folder and environment.
pub(crate) struct Run {
    command: Command,
    folder: String,
    variables: String,
    words: String,
}

impl Run {
    /// A program to run in the root of the repository.
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        let program = program.as_ref();
        // Resolved here, because the search path of this process may lack cargo's own folder.
        let mut command = Command::new(find(program).unwrap_or_else(|| program.into()));
        command
            .env("PATH", search_path())
            .current_dir(root())
            .stdin(Stdio::null());
        Self {
            command,
            folder: String::new(),
            variables: String::new(),
            words: quoted(program),
        }
    }

    pub(crate) fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        for arg in args {
            self.words.push(' ');
            self.words.push_str(&quoted(arg.as_ref()));
            self.command.arg(arg);
        }
        self
    }

    /// Runs in a folder of the repository.
    pub(crate) fn dir(mut self, dir: &str) -> Self {
        self.folder = format!("cd {dir} && ");
        self.command.current_dir(root().join(dir));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.variables
            .push_str(&format!("{name}={} ", quoted(value.as_ref())));
        self.command.env(name, value);
        self
    }

    /// Runs and fails unless the program succeeds.
    pub(crate) fn run(mut self) -> Result<()> {
        self.announce();
        let status = self.command.status().with_context(|| format!("start `{self}`"))?;
        self.ended(status)
    }

    /// Says nothing, returns whether the program could be started and succeeded.
    pub(crate) fn succeeds(mut self) -> bool {
        let status = self.command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    }

    /// Says nothing, returns what the program printed; an error begins with its complaint.
    pub(crate) fn output(mut self) -> Result<String> {
        let output = self.command.output().with_context(|| format!("start `{self}`"))?;
        self.ended(output.status)
            .with_context(|| String::from_utf8_lossy(&output.stderr).trim().to_owned())?;
        String::from_utf8(output.stdout).with_context(|| format!("read what `{self}` printed"))
    }

    /// Says nothing itself, returns what the program printed; its complaints are seen as they come.
    pub(crate) fn stdout(mut self) -> Result<String> {
        let output = self
            .command
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("start `{self}`"))?;
        self.ended(output.status)?;
        String::from_utf8(output.stdout).with_context(|| format!("read what `{self}` printed"))
    }

    /// Becomes the program, so that signals and the terminal reach it; returns only when that fails.
    pub(crate) fn exec(mut self) -> Result<()> {
        self.announce();
        let error = self.command.stdin(Stdio::inherit()).exec();
        Err(error).with_context(|| format!("start `{self}`"))
    }

    /// Prints the command as one would type it in the root of the repository.
    pub(crate) fn announce(&self) {
        println!("+ {self}");
    }

    fn ended(&self, status: ExitStatus) -> Result<()> {
        if !status.success() {
            bail!("run `{self}`: {status}");
        }
        Ok(())
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.folder, self.variables, self.words)
    }
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        // `cargo run` sets it; the binary started by hand falls back to where it was built.
        let manifest = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        Path::new(&manifest).parent().unwrap_or(Path::new(".")).to_owned()
    })
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// The programs' search path: the caller's, then cargo's, npm's and the system's administrative folders.
pub(crate) fn search_path() -> &'static OsStr {
    static PATH: OnceLock<OsString> = OnceLock::new();
    PATH.get_or_init(|| {
        let mut folders: Vec<_> = env::var_os("PATH")
            .map(|path| env::split_paths(&path).collect())
            .unwrap_or_default();
        let extra = [
            cargo_bin(),
            Some(root().join("web/node_modules/.bin")),
            Some("/usr/sbin".into()),
            Some("/sbin".into()),
        ];
        for folder in extra.into_iter().flatten() {
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        }
        // A folder whose name holds the separator cannot be expressed; the caller's path is the next best.
        env::join_paths(folders).unwrap_or_else(|_| env::var_os("PATH").unwrap_or_default())
    })
}

/// Finds a program the way a shell would.
pub(crate) fn find(program: impl AsRef<Path>) -> Option<PathBuf> {
    let program = program.as_ref();
    let executable = |path: &PathBuf| {
        fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    if program.components().count() > 1 {
        return Some(program.to_owned()).filter(executable);
    }
    env::split_paths(search_path())
        .map(|folder| folder.join(program))
        .find(executable)
}

fn cargo_bin() -> Option<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    home.or_else(|| env::home_dir().map(|home| home.join(".cargo")))
        .map(|home| home.join("bin"))
}

/// An argument as one would type it in a shell.
fn quoted(arg: &OsStr) -> String {
    let arg = arg.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
    if !arg.is_empty() && arg.chars().all(plain) {
        return arg.into_owned();
    }
    format!("'{}'", arg.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_is_quoted_only_when_a_shell_would_split_or_expand_it() {
        assert_eq!(quoted(OsStr::new("--all-targets")), "--all-targets");
        assert_eq!(quoted(OsStr::new("*")), "'*'");
        assert_eq!(quoted(OsStr::new("it's")), r"'it'\''s'");
        assert_eq!(quoted(OsStr::new("")), "''");
    }

    #[test]
    fn a_failure_names_the_command_and_its_status() {
        let error = Run::new("sh").args(["-c", "exit 3"]).run().unwrap_err();

        assert_eq!(error.to_string(), "run `sh -c 'exit 3'`: exit status: 3");
    }

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let run = Run::new("npm").args(["run", "test"]).dir("web").env("CI", "1");

        assert_eq!(run.to_string(), "cd web && CI=1 npm run test");
    }

    #[test]
    fn what_a_quiet_command_complained_about_is_part_of_the_error() {
        let error = Run::new("sh")
            .args(["-c", "echo no such branch >&2; exit 1"])
            .output()
            .unwrap_err();

        assert!(
            format!("{error:#}").starts_with("no such branch: run `sh"),
            "{error:#}"
        );
    }

    #[test]
    fn a_program_that_does_not_exist_is_named() {
        let error = Run::new("tcpviewer-no-such-program").run().unwrap_err();

        assert_eq!(error.to_string(), "start `tcpviewer-no-such-program`");
    }

    #[test]
    fn commands_see_no_standard_input() {
        assert_eq!(Run::new("cat").output().unwrap(), "");
    }

    #[test]
    fn administrative_folders_and_the_dashboard_s_programs_are_on_the_search_path() {
        let folders: Vec<_> = env::split_paths(search_path()).collect();

        assert!(folders.contains(&PathBuf::from("/usr/sbin")));
        assert!(folders.contains(&root().join("web/node_modules/.bin")));
    }
}
