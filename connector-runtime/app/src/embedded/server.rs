//! The server as a process that cannot outlive us.
//!
//! A shell runs between us and PostgreSQL. It waits at a pipe whose other end only we hold. However we end (return,
//! panic, abort, kill -9), the system closes that end; the shell reads end of file and shuts PostgreSQL down. The
//! shell is PostgreSQL's parent, so the process id it signals cannot have been reused. Both run in their own process
//! group: Ctrl-C on the terminal is for us, and the sinks still need the database to drain.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use connect_api::Cause;
use rustix::process::{Pid, Signal};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::account::Account;
use super::at;
use super::folder::Folder;
use super::programs::Programs;

pub(super) const SUPERUSER: &str = "connect";

/// A loaded laptop may take long; usually a start takes less than a second.
const START_DEADLINE: Duration = Duration::from_secs(60);
const STOP_DEADLINE: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Another process may take the port after we found it free and before the server listens on it.
const PORT_ATTEMPTS: u32 = 5;

/// Runs "$@" until its standard input ends. It repeats the signal, because a server that has just started may not
/// handle signals yet. `wait` returns when the server ends, also by itself; the shell then stops waiting at the pipe.
const GUARD: &str = r#"
trap '' HUP INT TERM
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
{ read -r _ <&3; while kill -INT "$server" 2>/dev/null; do sleep 0.2; done; } &
guard=$!
wait "$server"
status=$?
kill -KILL "$guard" 2>/dev/null
exit "$status"
"#;

/// A running server.
pub(super) struct PostgresServer {
    port: u16,
    /// Open as long as the server is needed.
    lifeline: ChildStdin,
    guard: Child,
}

impl PostgresServer {
    pub(super) async fn start(
        programs: &Programs,
        account: &Account,
        folder: &Folder,
    ) -> Result<PostgresServer, Cause> {
        let mut attempt = 1;
        loop {
            let mut server = PostgresServer::launch(programs, account, folder, free_port()?)?;
            let Err(cause) = server.wait_until_ready(folder).await else {
                return Ok(server);
            };
            server.stop().await;
            if attempt == PORT_ATTEMPTS || !folder.read_log().contains("could not bind") {
                return Err(cause);
            }
            attempt += 1;
        }
    }

    fn launch(
        programs: &Programs,
        account: &Account,
        folder: &Folder,
        port: u16,
    ) -> Result<PostgresServer, Cause> {
        let output = folder.create_log()?;
        let errors = output
            .try_clone()
            .map_err(at("cannot write", &folder.log()))?;
        let mut command = account.command(Path::new("/bin/sh"), folder.server());
        command.args(["-c", GUARD, "connect-embedded"]);
        command
            .arg(programs.postgres())
            .arg("-D")
            .arg(folder.data());
        for setting in [
            format!("port={port}"),
            // Loopback only, and no socket file, because its path may exceed the limit for sockets.
            "listen_addresses=127.0.0.1".to_owned(),
            "unix_socket_directories=".to_owned(),
        ] {
            command.args(["-c", &setting]);
        }
        command
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors)
            .process_group(0);
        let mut guard = command.spawn().map_err(|error| {
            Cause::new(format!("cannot start PostgreSQL through /bin/sh: {error}"))
        })?;
        let lifeline = guard.stdin.take();
        let lifeline = lifeline.ok_or_else(|| Cause::new("the guard of PostgreSQL has no pipe"))?;
        Ok(PostgresServer {
            port,
            lifeline,
            guard,
        })
    }

    /// Waits until PostgreSQL writes `ready` into the eighth line of its pid file.
    async fn wait_until_ready(&mut self, folder: &Folder) -> Result<(), Cause> {
        let pid_file = folder.data().join("postmaster.pid");
        let deadline = Instant::now() + START_DEADLINE;
        loop {
            let content = fs::read_to_string(&pid_file).unwrap_or_default();
            if content
                .lines()
                .nth(7)
                .is_some_and(|status| status.trim() == "ready")
            {
                return Ok(());
            }
            let ended = matches!(self.guard.try_wait(), Ok(Some(_)));
            if ended || Instant::now() > deadline {
                let what = if ended {
                    "ended during its start"
                } else {
                    "is not ready in time"
                };
                return Err(Cause::new(format!(
                    "PostgreSQL {what}: {}",
                    last_lines(&folder.read_log())
                ))
                .with_help(format!("its log is {}", folder.log().display())));
            }
            sleep(LOOK_EVERY).await;
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Closes the pipe and waits for the end. The next start stops a server that does not end.
    pub(super) async fn stop(self) {
        let PostgresServer {
            lifeline,
            mut guard,
            ..
        } = self;
        drop(lifeline);
        if timeout(STOP_DEADLINE, guard.wait()).await.is_err() {
            tracing::warn!(
                event = "postgres_does_not_stop",
                "the embedded PostgreSQL does not stop"
            );
        }
    }
}

/// Creates an empty cluster and returns its superuser's password.
pub(super) async fn create_cluster(
    programs: &Programs,
    account: &Account,
    folder: &Folder,
) -> Result<String, Cause> {
    // 122 random bits from the system.
    let password = Uuid::new_v4().simple().to_string();
    folder.create_data(account)?;
    let password_file = folder.write_initdb_password(account, &password)?;
    let output = account
        .command(&programs.initdb(), folder.server())
        .args([
            "--username",
            SUPERUSER,
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ])
        .args(["--auth=scram-sha-256", "--pwfile"])
        .arg(&password_file)
        .arg("--pgdata")
        .arg(folder.data())
        .output()
        .await;
    folder.remove_initdb_password();
    let output = output.map_err(at("cannot run", &programs.initdb()))?;
    if output.status.success() {
        folder.keep_password(&password)?;
        return Ok(password);
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(Cause::new(format!(
        "initdb failed: {}",
        errors.trim().replace('\n', " · ")
    )))
}

/// Ends the server that a killed run left behind. Our lock proves that no run uses it. Usually its guard is about to
/// end it anyway.
pub(super) async fn stop_leftover(data: &Path) -> Result<(), Cause> {
    let pid_file = data.join("postmaster.pid");
    let deadline = Instant::now() + STOP_DEADLINE;
    while let Some(pid) = leftover(&pid_file, data).await {
        if Instant::now() > deadline {
            return Err(Cause::new(format!(
                "the PostgreSQL of an earlier run (process {pid}) does not end"
            ))
            .with_help(format!("kill -QUIT {pid}")));
        }
        // QUIT, because no client is left to wait for.
        let _ = rustix::process::kill_process(pid, Signal::QUIT);
        sleep(LOOK_EVERY * 5).await;
    }
    let _ = fs::remove_file(&pid_file);
    Ok(())
}

/// The process in the pid file, if it is a server on this very folder: the number may have been reused.
async fn leftover(pid_file: &Path, data: &Path) -> Option<Pid> {
    let content = fs::read_to_string(pid_file).ok()?;
    let number: u32 = content.lines().next()?.trim().parse().ok()?;
    let pid = Pid::from_raw(i32::try_from(number).ok()?)?;
    let command = match fs::read(format!("/proc/{pid}/cmdline")) {
        Ok(command) => command,
        Err(_) => {
            Command::new("/bin/ps")
                .args(["-ww", "-o", "command=", "-p", &pid.to_string()])
                .output()
                .await
                .ok()?
                .stdout
        }
    };
    let command = String::from_utf8_lossy(&command);
    command.contains(&*data.to_string_lossy()).then_some(pid)
}

fn free_port() -> Result<u16, Cause> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr());
    port.map(|address| address.port())
        .map_err(|error| Cause::new(format!("no free port on 127.0.0.1: {error}")))
}

fn last_lines(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines
        .get(lines.len().saturating_sub(3)..)
        .unwrap_or_default()
        .join(" · ")
}
