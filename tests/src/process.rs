//! The real binary as a process that can be killed, frozen and queried.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::folder::Folder;
use crate::{eventually, servers};

/// The binary under test.
pub fn binary() -> PathBuf {
    let path = std::env::var_os("CONNECT_BINARY").map_or_else(
        || servers::workspace().join("target/debug/connect"),
        PathBuf::from,
    );
    assert!(
        path.is_file(),
        "{} does not exist: run dev/test, or set CONNECT_BINARY",
        path.display()
    );
    path
}

/// The command line, environment and terminal of a process.
pub struct Launch {
    program: PathBuf,
    arguments: Vec<OsString>,
    variables: Vec<(String, String)>,
    folder: Option<PathBuf>,
    is_on_terminal: bool,
}

impl Launch {
    pub fn new(arguments: &[&str]) -> Launch {
        Launch {
            program: binary(),
            arguments: arguments.iter().map(OsString::from).collect(),
            variables: vec![("KAFKA_BOOTSTRAP_SERVERS".into(), servers::kafka())],
            folder: None,
            is_on_terminal: false,
        }
    }

    /// `connect run FOLDER`, with logs as JSON.
    pub fn run(folder: &Folder) -> Launch {
        Launch::new(&["run", "--log-format", "json"]).argument(folder.connectors())
    }

    /// Runs another binary than `connect`.
    pub fn program(mut self, program: impl Into<PathBuf>) -> Launch {
        self.program = program.into();
        self
    }

    pub fn argument(mut self, argument: impl Into<OsString>) -> Launch {
        self.arguments.push(argument.into());
        self
    }

    pub fn variable(mut self, name: &str, value: impl Into<String>) -> Launch {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// Starts it in this folder.
    pub fn working_in(mut self, folder: impl Into<PathBuf>) -> Launch {
        self.folder = Some(folder.into());
        self
    }

    /// Restores the default action of SIGHUP, also if the tests run under `nohup`.
    pub fn with_hang_up(self) -> Launch {
        self.under("env", &["--default-signal=HUP"])
    }

    /// Starts it through another program, such as `env`, with these arguments. That program must replace itself by ours,
    /// or signals do not reach it.
    pub fn under(mut self, program: &str, arguments: &[&str]) -> Launch {
        let wrapped = std::mem::replace(&mut self.program, program.into());
        let arguments = arguments.iter().map(OsString::from);
        let before: Vec<OsString> = arguments.chain([wrapped.into_os_string()]).collect();
        self.arguments.splice(0..0, before);
        self
    }

    /// Makes its input a terminal.
    pub fn on_terminal(mut self) -> Launch {
        self.is_on_terminal = true;
        self
    }

    pub fn database(self, url: impl Into<String>) -> Launch {
        self.variable("DATABASE_URL", url)
    }

    pub fn start(&self) -> ConnectProcess {
        let output = tempfile::tempdir().expect("a temporary folder");
        let file = |name: &str| File::create(output.path().join(name)).expect("a file for output");
        let mut command = Command::new(&self.program);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        let child = command
            .args(&self.arguments)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(if self.is_on_terminal {
                terminal().into()
            } else {
                Stdio::null()
            })
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", self.program.display()));
        ConnectProcess {
            child,
            output,
            ended: None,
        }
    }
}

/// The end of a new pseudo-terminal on which programs are started. Nothing reads the other end.
fn terminal() -> File {
    use rustix::pty::{OpenptFlags, openpt, ptsname, unlockpt};
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    unlockpt(&controller).expect("a terminal");
    let name = ptsname(&controller, Vec::new()).expect("a terminal's name");
    let path = PathBuf::from(name.into_string().expect("a path"));
    // Open while the tests run: closing it hangs the terminal up.
    std::mem::forget(controller);
    File::options()
        .read(true)
        .write(true)
        .open(path)
        .expect("a terminal")
}

/// A running `connect`. Dropping it kills it; a failing test prints the end of its output.
pub struct ConnectProcess {
    child: Child,
    output: tempfile::TempDir,
    ended: Option<ExitStatus>,
}

impl ConnectProcess {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends `kill -9` and waits for the end.
    pub fn kill(&mut self) {
        self.child.kill().expect("kill");
        self.ended = Some(self.child.wait().expect("wait"));
    }

    /// Sends a signal by name: `TERM`, `INT`, `STOP`, `CONT`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([format!("-{name}"), self.id().to_string()])
            .status()
            .expect("kill");
        assert!(status.success(), "kill -{name} {}", self.id());
    }

    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().expect("wait");
        }
        self.ended
    }

    /// Waits for the end and returns the exit code, or 128 + the signal's number, like shells.
    pub async fn exit_code(&mut self, deadline: Duration) -> i32 {
        let status = eventually("the process ends", deadline, async || self.has_ended()).await;
        exit_code(status)
    }

    /// Sends SIGTERM and returns the exit code.
    pub async fn stop(&mut self, deadline: Duration) -> i32 {
        self.signal("TERM");
        self.exit_code(deadline).await
    }

    pub fn stdout(&self) -> String {
        self.read("stdout")
    }

    pub fn stderr(&self) -> String {
        self.read("stderr")
    }

    fn read(&self, name: &str) -> String {
        let bytes = std::fs::read(self.output.path().join(name)).expect("output");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The log's objects of one event, such as `connector_started`.
    pub fn events(&self, event: &str) -> Vec<Value> {
        self.stderr()
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|object| object["event"] == event)
            .collect()
    }

    /// Waits for a matching log event.
    pub async fn event(
        &self,
        event: &str,
        deadline: Duration,
        fits: impl Fn(&Value) -> bool,
    ) -> Value {
        eventually(&format!("log event {event}"), deadline, async || {
            self.events(event).into_iter().find(&fits)
        })
        .await
    }

    /// User and system time so far, in seconds.
    pub fn cpu_seconds(&self) -> f64 {
        cpu_seconds(self.id())
    }

    /// A line of `/proc/PID/status` in KiB: `VmRSS` is current, `VmHWM` is the peak.
    pub fn memory_kib(&self, line: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).expect("/proc");
        let text = status
            .lines()
            .find_map(|known| known.strip_prefix(line)?.strip_prefix(':'))
            .expect("a line of /proc/PID/status");
        text.trim().trim_end_matches(" kB").parse().expect("KiB")
    }
}

/// The exit code as shells report it.
pub fn exit_code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

fn cpu_seconds(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("/proc");
    // The name, in parentheses, may contain spaces, so fields are counted from its end.
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u64>().expect("ticks"))
        .sum();
    // The kernel reports in units of 1/100 s on every Linux that Rust supports.
    ticks as f64 / 100.0
}

/// The exit code, stdout and stderr of a command that has ended.
pub struct Finished {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Runs `connect ARGUMENTS` to its end.
pub async fn connect(arguments: &[&str], variables: &[(&str, &str)], path: &Path) -> Finished {
    let mut launch = Launch::new(arguments).argument(path);
    for (name, value) in variables {
        launch = launch.variable(name, *value);
    }
    let mut process = launch.start();
    let code = process.exit_code(Duration::from_secs(60)).await;
    Finished {
        code,
        stdout: process.stdout(),
        stderr: process.stderr(),
    }
}

impl Drop for ConnectProcess {
    fn drop(&mut self) {
        if self.has_ended().is_none() {
            self.child.kill().ok();
            self.child.wait().ok();
        }
        if std::thread::panicking() {
            for name in ["stdout", "stderr"] {
                let text = self.read(name);
                let lines: Vec<&str> = text.lines().collect();
                let last = lines[lines.len().saturating_sub(40)..].join("\n");
                // libtest prints it with the failed test.
                #[allow(clippy::print_stderr)]
                {
                    eprintln!("--- process {} {name}, last lines ---\n{last}", self.id());
                }
            }
        }
    }
}
