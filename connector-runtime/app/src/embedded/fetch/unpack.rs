//! Unpacks PostgreSQL's archive: a jar, that is a zip, which contains a tar compressed by xz.
//!
//! The digest proves that the archive is the pinned one. These checks hold for any archive: nothing is written
//! outside the folder, over another entry or through a link, and the total is limited.

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Cursor, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use connect_api::Cause;
use lzma_rust2::XzReader;
use tar::EntryType;
use zip::ZipArchive;

/// PostgreSQL takes 60 MB.
const LARGEST: u64 = 512 << 20;
const MOST_ENTRIES: usize = 20_000;

/// Unpacks into `folder`, which exists and is empty.
pub(super) fn unpack(jar: &[u8], folder: &Path) -> Result<(), Cause> {
    let broken = |error: io::Error| Cause::new(format!("the archive cannot be unpacked: {error}"));
    let compressed = compressed_tar(jar).map_err(broken)?;
    let content = XzReader::new(Cursor::new(compressed), true).take(LARGEST);
    let mut tar = tar::Archive::new(content);
    let mut unpacker = Unpacker {
        folder,
        written: HashSet::new(),
    };
    for entry in tar.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        unpacker.entry(&mut entry)?;
    }
    if unpacker.written.is_empty() {
        return Err(broken(io::Error::other("it contains no file")));
    }
    // The checksums follow the last entry.
    io::copy(&mut tar.into_inner(), &mut io::sink()).map_err(broken)?;
    Ok(())
}

fn compressed_tar(jar: &[u8]) -> io::Result<Vec<u8>> {
    let mut zip = ZipArchive::new(Cursor::new(jar))?;
    let named = |name: &&str| name.ends_with(".txz");
    let name = zip.file_names().find(named).map(str::to_owned);
    let name = name.ok_or_else(|| io::Error::other("it contains no .txz"))?;
    let mut compressed = Vec::new();
    zip.by_name(&name)?
        .take(LARGEST)
        .read_to_end(&mut compressed)?;
    Ok(compressed)
}

struct Unpacker<'a> {
    folder: &'a Path,
    /// Files and links written so far.
    written: HashSet<PathBuf>,
}

impl Unpacker<'_> {
    fn entry(&mut self, entry: &mut tar::Entry<'_, impl Read>) -> Result<(), Cause> {
        let path = entry.path().map(|path| path.into_owned());
        let path =
            path.map_err(|error| Cause::new(format!("the archive cannot be unpacked: {error}")))?;
        let refused = |reason: &str| {
            Cause::new(format!(
                "the archive cannot be unpacked: {} {reason}",
                path.display()
            ))
        };
        let failed = |error: io::Error| refused(&format!("cannot be written: {error}"));
        let inside = inside(&path).ok_or_else(|| refused("is outside the folder"))?;
        let target = self.folder.join(&inside);
        let kind = entry.header().entry_type();
        if kind == EntryType::Directory {
            return create_folder(&target).map_err(failed);
        }
        if self.written.len() >= MOST_ENTRIES {
            return Err(refused("exceeds the limit on entries"));
        }
        // An earlier link is never a folder here, because links lead to files of the same folder.
        let parents = inside.ancestors().skip(1);
        let mut parents = parents.filter(|parent| !parent.as_os_str().is_empty());
        if self.written.contains(&inside) || parents.any(|parent| self.written.contains(parent)) {
            return Err(refused("occurs twice"));
        }
        if let Some(parent) = target.parent() {
            create_folder(parent).map_err(failed)?;
        }
        match kind {
            EntryType::Regular | EntryType::Continuous => {
                let mode = entry.header().mode().map_err(failed)?;
                write_file(entry, &target, mode).map_err(failed)?;
            }
            EntryType::Symlink => {
                let link = entry.link_name().map_err(failed)?;
                let link = link.ok_or_else(|| refused("is a link without a target"))?;
                if !is_file_name(&link) {
                    return Err(refused("is a link out of its folder"));
                }
                symlink(&link, &target).map_err(failed)?;
            }
            _ => return Err(refused("is not a file, folder or symbolic link")),
        }
        self.written.insert(inside);
        Ok(())
    }
}

/// The path without `.`; `None` if it is absolute, empty or contains `..`.
fn inside(path: &Path) -> Option<PathBuf> {
    let mut inside = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => inside.push(name),
            Component::CurDir => {}
            _ => return None,
        }
    }
    Some(inside)
}

/// Whether the link's target is a file name in the same folder.
fn is_file_name(link: &Path) -> bool {
    let mut components = link.components();
    matches!(
        (components.next(), components.next()),
        (Some(Component::Normal(_)), None)
    )
}

/// Readable by another account.
fn create_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(path)
}

/// Keeps only the executable bit of the archive's mode, and never overwrites a file.
fn write_file(content: &mut impl Read, path: &Path, mode: u32) -> io::Result<()> {
    let mode = if mode & 0o111 == 0 { 0o644 } else { 0o755 };
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    io::copy(content, &mut file)?;
    Ok(())
}

#[cfg(test)]
mod tests;
