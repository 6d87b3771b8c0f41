#![allow(clippy::unwrap_used, clippy::panic)]

use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use super::*;

mod hostile;

async fn psql(postgres: &EmbeddedPostgres, sql: &str) -> Result<String, String> {
    let mut command = Command::new(postgres.programs.psql());
    command.args([
        "-XAtv",
        "ON_ERROR_STOP=1",
        "-c",
        sql,
        postgres.url().expose(),
    ]);
    let output = command.output().await.unwrap();
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap().trim().to_owned())
    } else {
        Err(String::from_utf8(output.stderr).unwrap())
    }
}

fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

async fn until_silent(port: u16) {
    let silence = async {
        while listens(port) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(20), silence)
        .await
        .expect("the server still listens");
}

/// A clone below a home of mode 0700, as root's is.
struct Clone(TempDir);

impl Clone {
    fn new() -> Clone {
        let home = TempDir::new().unwrap();
        std::fs::set_permissions(home.path(), PermissionsExt::from_mode(0o700)).unwrap();
        std::fs::create_dir(home.path().join("a clone")).unwrap();
        Clone(home)
    }

    fn directory(&self) -> PathBuf {
        self.0.path().join("a clone/.connect")
    }

    fn home(&self) -> PathBuf {
        self.directory().join("postgres")
    }
}

impl Drop for Clone {
    fn drop(&mut self) {
        if let Ok(server) = std::fs::read_to_string(self.home().join("server-path")) {
            let _ = std::fs::remove_dir_all(server);
        }
    }
}

#[tokio::test]
async fn begins_empty_and_leaves_nothing_unless_kept() {
    let clone = Clone::new();
    let directory = clone.directory();

    let first = EmbeddedPostgres::start(&directory, true).await.unwrap();
    let mode = std::fs::metadata(first.url_file())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(
        std::fs::read_to_string(first.url_file()).unwrap(),
        first.url().expose()
    );
    let service = Command::new(first.programs.psql())
        .args(["-XAt", "service=connect", "-c", "SELECT current_user"])
        .env("PGSERVICEFILE", first.service_file())
        .output()
        .await
        .unwrap();
    assert_eq!(String::from_utf8(service.stdout).unwrap(), "connect\n");
    psql(&first, "CREATE TABLE t AS SELECT 7 AS n")
        .await
        .unwrap();
    let (port, url_file) = (first.server.port(), first.url_file());
    first.stop().await;
    assert!(!listens(port));
    assert!(!url_file.exists());
    assert!(!url_file.with_file_name("service").exists());

    let kept = EmbeddedPostgres::start(&directory, true).await.unwrap();
    assert_eq!(psql(&kept, "SELECT n FROM t").await.unwrap(), "7");
    kept.stop().await;

    let empty = EmbeddedPostgres::start(&directory, false).await.unwrap();
    assert!(
        psql(&empty, "SELECT n FROM t")
            .await
            .unwrap_err()
            .contains("does not exist")
    );
    let data = empty.folder.data();
    assert!(data.exists());
    empty.stop().await;
    assert!(!data.parent().unwrap().exists());
}

#[tokio::test]
async fn asks_for_the_password_and_listens_on_loopback_only() {
    let clone = Clone::new();
    let postgres = EmbeddedPostgres::start(&clone.directory(), false)
        .await
        .unwrap();
    let password = psql(&postgres, "SHOW listen_addresses").await.unwrap();
    assert_eq!(password, "127.0.0.1");
    let wrong = format!(
        "postgres://connect:wrong@127.0.0.1:{}/postgres",
        postgres.server.port()
    );
    let output = Command::new(postgres.programs.psql())
        .arg(wrong)
        .output()
        .await
        .unwrap();
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("password authentication failed")
    );
    postgres.stop().await;
}

#[tokio::test]
async fn a_second_run_in_the_same_folder_is_refused() {
    let clone = Clone::new();
    let first = EmbeddedPostgres::start(&clone.directory(), false)
        .await
        .unwrap();
    let second = EmbeddedPostgres::start(&clone.directory(), false).await;
    let cause = second.err().expect("two servers in one folder");
    let process = format!("(process {})", std::process::id());
    assert!(cause.message.contains(&process), "{cause}");
    assert_eq!(psql(&first, "SELECT 1").await.unwrap(), "1");
    first.stop().await;
}

#[tokio::test]
async fn ends_when_it_is_dropped() {
    let clone = Clone::new();
    let postgres = EmbeddedPostgres::start(&clone.directory(), false)
        .await
        .unwrap();
    let port = postgres.server.port();
    assert!(listens(port));
    drop(postgres);
    until_silent(port).await;
}

#[tokio::test]
async fn a_server_left_behind_is_stopped() {
    let clone = Clone::new();
    let EmbeddedPostgres { server, folder, .. } =
        EmbeddedPostgres::start(&clone.directory(), false)
            .await
            .unwrap();
    let port = server.port();
    // As if the guard had been killed together with us: the server gets no signal.
    std::mem::forget(server);
    drop(folder);
    assert!(listens(port));
    let next = EmbeddedPostgres::start(&clone.directory(), true)
        .await
        .unwrap();
    assert!(!listens(port));
    assert_eq!(psql(&next, "SELECT 1").await.unwrap(), "1");
    next.stop().await;
}

/// Retries, because a process that another test starts has a copy of the lock's descriptor until it runs its own
/// program.
async fn start_once_unlocked(clone: &Clone) -> EmbeddedPostgres {
    let started = async {
        loop {
            match EmbeddedPostgres::start(&clone.directory(), true).await {
                Err(cause) if cause.message.contains("another run") => {
                    sleep(Duration::from_millis(20)).await;
                }
                started => break started.unwrap(),
            }
        }
    };
    timeout(Duration::from_secs(30), started).await.unwrap()
}

#[tokio::test]
async fn a_pid_file_that_names_a_stranger_is_only_removed() {
    let clone = Clone::new();
    EmbeddedPostgres::start(&clone.directory(), true)
        .await
        .unwrap()
        .stop()
        .await;
    let mut stranger = Command::new("sleep")
        .arg("60")
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let folder = Folder::take(&clone.directory(), &Account::choose().unwrap()).unwrap();
    let pid_file = folder.data().join("postmaster.pid");
    std::fs::write(&pid_file, format!("{}\n", stranger.id().unwrap())).unwrap();
    drop(folder);
    start_once_unlocked(&clone).await.stop().await;
    assert!(
        stranger.try_wait().unwrap().is_none(),
        "the stranger was killed"
    );
}
