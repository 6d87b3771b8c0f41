//! Folders, links and variables that other users of a shared machine prepare for `--embedded`.

use std::fs::{self, Permissions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown, symlink};

use super::super::own_folder::OwnFolder;
use super::*;

/// A user who is neither root nor the account of the server.
const STRANGER: u32 = 54_321;

/// A file that must not change, and a folder for links to it.
struct Victim {
    root: TempDir,
}

impl Victim {
    fn new() -> Victim {
        let root = TempDir::new().unwrap();
        fs::create_dir(root.path().join("folder")).unwrap();
        let victim = Victim { root };
        fs::write(victim.file(), "precious").unwrap();
        victim
    }

    fn folder(&self) -> PathBuf {
        self.root.path().join("folder")
    }

    fn file(&self) -> PathBuf {
        self.folder().join("file")
    }

    #[track_caller]
    fn is_unchanged(&self, case: &str) {
        let file = fs::read_to_string(self.file()).unwrap();
        assert_eq!(file, "precious", "{case}");
        let folder = fs::metadata(self.folder()).unwrap();
        assert_eq!(fs::read_dir(self.folder()).unwrap().count(), 1, "{case}");
        let us = fs::metadata(self.root.path()).unwrap().uid();
        assert_eq!(folder.uid(), us, "{case}");
    }
}

/// What another user has put where we expect our folder.
const PREPARED: [(&str, &str); 4] = [
    ("a folder of others", "it belongs to user 54321"),
    ("a folder that others may write to", "has mode 0777"),
    ("a link to a folder", "is a symbolic link or a file"),
    ("a file", "is a symbolic link or a file"),
];

/// Prepares `path`; `false` if that needs root's rights.
fn prepare(what: &str, path: &Path, victim: &Victim) -> bool {
    let folder = |mode| {
        fs::DirBuilder::new().create(path).unwrap();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        for name in ["owner", "password", "lock", "log", "url"] {
            symlink(victim.file(), path.join(name)).unwrap();
        }
    };
    match what {
        "a folder of others" => {
            folder(0o755);
            return chown(path, Some(STRANGER), None).is_ok();
        }
        "a folder that others may write to" => folder(0o777),
        "a link to a folder" => symlink(victim.folder(), path).unwrap(),
        "a file" => fs::write(path, "").unwrap(),
        other => unreachable!("{other}"),
    }
    true
}

/// The folders that a run expects to own. The server's folder is outside if another account runs the server.
fn expected_folders(clone: &Clone) -> Vec<(PathBuf, bool)> {
    let home = clone.home();
    let server = home.join("server");
    vec![
        (clone.directory(), false),
        (home, false),
        (server, Account::choose().unwrap().is_other()),
    ]
}

#[test]
fn a_prepared_folder_is_refused_and_nothing_is_written_through_it() {
    for (what, reason) in PREPARED {
        for level in 0..3 {
            let (clone, victim) = (Clone::new(), Victim::new());
            let (path, outside) = expected_folders(&clone).remove(level);
            let case = format!("{what} at {}", path.display());
            let mut path = path;
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(path.parent().unwrap())
                .unwrap();
            if outside {
                let name = format!("connect-embedded-test{}-{level}", std::process::id());
                path = Path::new("/var/tmp").join(name);
                let text = path.to_str().unwrap();
                fs::write(clone.home().join("server-path"), text).unwrap();
            }
            if !prepare(what, &path, &victim) {
                continue;
            }
            let taken = Folder::take(&clone.directory(), &Account::choose().unwrap());
            if path.is_file() || path.is_symlink() {
                fs::remove_file(&path).unwrap();
            } else {
                fs::remove_dir_all(&path).unwrap();
            }
            let cause = taken.err().unwrap_or_else(|| panic!("{case}: taken"));
            assert!(cause.message.contains(reason), "{case}: {cause}");
            victim.is_unchanged(&case);
        }
    }
}

/// `.connect` may come from a stranger's archive or repository, and the first step would empty the folder that it
/// names.
#[test]
fn a_server_folder_that_no_run_has_created_is_refused() {
    let account = Account::choose().unwrap();
    if !account.is_other() {
        return;
    }
    let (clone, victim) = (Clone::new(), Victim::new());
    drop(Folder::take(&clone.directory(), &account).unwrap());
    let file = clone.home().join("server-path");
    let created = fs::read_to_string(&file).unwrap();
    let victims = victim.folder();
    for path in [
        victims.to_str().unwrap(),
        "/var/tmp",
        "/var/tmp/connect-embedded-x/..",
        "connect-embedded-x",
        "",
    ] {
        fs::write(&file, path).unwrap();
        let cause = Folder::take(&clone.directory(), &account).err();
        let cause = cause.unwrap_or_else(|| panic!("{path:?} was taken"));
        assert!(cause.message.contains("no run created"), "{cause}");
        victim.is_unchanged(path);
    }
    fs::write(&file, created).unwrap();
}

#[tokio::test]
async fn files_are_not_opened_through_links() {
    let (clone, victim) = (Clone::new(), Victim::new());
    let home = OwnFolder::open_or_create(&clone.directory()).unwrap();
    home.folder("postgres").unwrap();

    let lock = clone.home().join("lock");
    symlink(victim.file(), &lock).unwrap();
    let refused = EmbeddedPostgres::start(&clone.directory(), false).await;
    let cause = refused.err().expect("the lock is a link");
    assert!(cause.message.starts_with("cannot open"), "{cause}");
    victim.is_unchanged("lock");
    fs::remove_file(&lock).unwrap();

    for name in ["log", "url", "service", "password"] {
        symlink(victim.file(), clone.home().join(name)).unwrap();
    }
    let postgres = EmbeddedPostgres::start(&clone.directory(), true)
        .await
        .unwrap();
    for name in ["lock", "log", "url", "service", "password"] {
        let file = fs::symlink_metadata(clone.home().join(name)).unwrap();
        assert!(file.is_file(), "{name} is a link");
        assert_eq!(file.mode() & 0o777, 0o600, "{name}");
    }
    for folder in [clone.directory(), clone.home()] {
        assert_eq!(fs::metadata(folder).unwrap().mode() & 0o777, 0o700);
    }
    postgres.stop().await;
    victim.is_unchanged("log, url and password");
    assert!(
        !clone.home().join("log").exists(),
        "the log outlives its run"
    );
}

#[test]
fn the_name_of_a_folder_outside_cannot_be_foreseen() {
    let account = Account::choose().unwrap();
    if !account.is_other() {
        return;
    }
    let clone = Clone::new();
    let take = || Folder::take(&clone.directory(), &account).unwrap();
    let first = take();
    let path = first.server().to_owned();
    let found = fs::metadata(&path).unwrap();
    assert_eq!(found.mode() & 0o777, 0o710);
    drop(first);
    let again = take();
    assert_eq!(again.server(), path, "a kept database is found again");
    again.clean_up();
    drop(again);
    assert_ne!(take().server(), path);
}

/// Cargo's own variables in its tests serve as canaries.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_server_sees_no_variables_of_ours() {
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    let clone = Clone::new();
    let postgres = EmbeddedPostgres::start(&clone.directory(), false)
        .await
        .unwrap();
    let pid_file = fs::read_to_string(postgres.folder.data().join("postmaster.pid")).unwrap();
    let server = pid_file.lines().next().unwrap();
    let status = fs::read_to_string(format!("/proc/{server}/status")).unwrap();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
    let guard = parent.unwrap().trim();
    for pid in [server, guard] {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap();
        let environment = String::from_utf8_lossy(&environment);
        assert!(environment.contains("PATH="), "{environment}");
        assert!(!environment.contains("CARGO_MANIFEST_DIR"), "{environment}");
    }
    postgres.stop().await;
}
