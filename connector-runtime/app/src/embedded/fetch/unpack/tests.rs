use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use lzma_rust2::{XzOptions, XzWriter};
use tar::{Builder, Header};
use zip::write::SimpleFileOptions;

use super::*;

/// An entry of a test archive: path, type, and content or link target.
type Entry = (&'static str, EntryType, &'static str);

/// The tar builder refuses names outside the archive, so we write them into the header directly.
fn tar_of(entries: &[Entry]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (path, kind, content) in entries {
        let mut header = Header::new_gnu();
        let set = |field: &mut [u8], text: &str| {
            let field = field.get_mut(..text.len()).expect("a short name");
            field.copy_from_slice(text.as_bytes());
        };
        set(&mut header.as_gnu_mut().expect("GNU").name, path);
        let is_link = matches!(kind, EntryType::Symlink | EntryType::Link);
        let content = if is_link {
            set(&mut header.as_gnu_mut().expect("GNU").linkname, content);
            ""
        } else {
            *content
        };
        header.set_entry_type(*kind);
        header.set_mode(if path.starts_with("bin/") {
            0o4777
        } else {
            0o666
        });
        header.set_size(content.len() as u64);
        header.set_cksum();
        builder.append(&header, content.as_bytes()).expect("append");
    }
    builder.into_inner().expect("a tar")
}

fn jar_of(entries: &[Entry]) -> Vec<u8> {
    let mut xz = XzWriter::new(Vec::new(), XzOptions::with_preset(0)).expect("xz");
    xz.write_all(&tar_of(entries)).expect("xz");
    zip_of("postgres-linux-x86_64.txz", &xz.finish().expect("xz"))
}

fn zip_of(name: &str, content: &[u8]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    zip.start_file("META-INF/MANIFEST.MF", options)
        .expect("zip");
    zip.start_file(name, options).expect("zip");
    zip.write_all(content).expect("zip");
    zip.finish().expect("zip").into_inner()
}

/// Also what is around the folder, as `path content` or `path -> target`.
fn everything_below(folder: &Path, root: &Path, out: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        let name = path
            .strip_prefix(root)
            .expect("below")
            .display()
            .to_string();
        match fs::read_link(&path) {
            Ok(target) => out.push(format!("{name} -> {}", target.display())),
            Err(_) if path.is_dir() => everything_below(&path, root, out),
            Err(_) => out.push(format!(
                "{name} {}",
                fs::read_to_string(&path).expect("text")
            )),
        }
    }
}

fn unpacked(jar: &[u8]) -> (Result<(), Cause>, Vec<String>, tempfile::TempDir) {
    let around = tempfile::tempdir().expect("a folder");
    let folder = around.path().join("in");
    fs::create_dir(&folder).expect("a folder");
    let result = unpack(jar, &folder);
    let mut found = Vec::new();
    everything_below(around.path(), around.path(), &mut found);
    found.sort();
    (result, found, around)
}

#[test]
fn an_archive_is_unpacked_without_special_modes() {
    let jar = jar_of(&[
        ("./", EntryType::Directory, ""),
        ("share/", EntryType::Directory, ""),
        ("bin/postgres", EntryType::Regular, "program"),
        ("lib/a.so.1", EntryType::Regular, "library"),
        ("lib/a.so", EntryType::Symlink, "a.so.1"),
    ]);
    let (result, found, around) = unpacked(&jar);
    result.expect("unpacked");
    let expected = [
        "in/bin/postgres program",
        "in/lib/a.so -> a.so.1",
        "in/lib/a.so.1 library",
    ];
    assert_eq!(found, expected);
    for (path, expected) in [("in/bin/postgres", 0o755), ("in/lib/a.so.1", 0o644)] {
        let mode = fs::metadata(around.path().join(path)).expect("a file");
        assert_eq!(mode.permissions().mode() & 0o7777, expected, "{path}");
    }
}

#[test]
fn an_archive_writes_nothing_outside_its_folder_and_nothing_twice() {
    use EntryType::{Block, Fifo, Link, Regular, Symlink};
    let cases: [(&str, &[Entry]); 11] = [
        ("is outside", &[("../evil", Regular, "x")]),
        ("is outside", &[("lib/../../evil", Regular, "x")]),
        ("is outside", &[("/tmp/connect-evil", Regular, "x")]),
        ("is outside", &[("../evil/", EntryType::Directory, "")]),
        ("is a link out", &[("lib/a", Symlink, "../../evil")]),
        ("is a link out", &[("lib/a", Symlink, "/etc/passwd")]),
        ("is a link out", &[("lib/a", Symlink, "..")]),
        ("not a file, folder", &[("lib/a", Link, "/etc/passwd")]),
        ("not a file, folder", &[("lib/a", Fifo, "")]),
        ("occurs twice", &[("a", Symlink, "b"), ("a", Regular, "x")]),
        (
            "occurs twice",
            &[("a", Symlink, "b"), ("a/c", Regular, "x")],
        ),
    ];
    for (words, entries) in cases {
        let (result, found, _around) = unpacked(&jar_of(entries));
        let cause = result.expect_err("refused");
        assert!(cause.message.contains(words), "{entries:?}: {cause}");
        let is_outside = |path: &String| !path.starts_with("in/");
        assert!(!found.iter().any(is_outside), "{found:?}");
    }
    assert!(!Path::new("/tmp/connect-evil").exists());
    let (result, ..) = unpacked(&jar_of(&[("dev", Block, "")]));
    result.expect_err("a device");
}

#[test]
fn an_archive_that_is_cut_off_or_none_is_an_error() {
    let whole = jar_of(&[("bin/postgres", EntryType::Regular, "program")]);
    for length in (0..whole.len()).step_by(7) {
        let (result, ..) = unpacked(whole.get(..length).expect("a part"));
        result.expect_err("cut off");
    }
    for jar in [zip_of("other", b"x"), zip_of("a.txz", b"x"), b"x".to_vec()] {
        let (result, ..) = unpacked(&jar);
        result.expect_err("no archive");
    }
    let compressed = compressed_tar(&whole).expect("a tar");
    for length in (0..compressed.len()).step_by(5) {
        let jar = zip_of("a.txz", compressed.get(..length).expect("a part"));
        unpacked(&jar).0.expect_err("cut off inside");
    }
}
