//! The file of a store: a line an entry, each behind its checksum. What a crash has torn off the end is left out; a file that is
//! damaged elsewhere is set aside. Knows lines and files; nothing of when they are written.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::budget::{Budgets, Entry, UnixMs};
use crate::hex;

/// What the first line says.
const HEADER: &str = r#"{"gramtrace_budgets":1}"#;
/// The longest line; longer ones are damage.
const LONGEST_LINE: u64 = 256 << 20;
/// Below this a file is not written anew.
const SMALL: u64 = 4 << 20;
/// A file that has grown by this is.
const GROWN: u64 = 3;
/// Hex digits of a checksum.
const SUM_LEN: usize = 16;

/// A folder that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another process uses it.
    #[error("`{0}` is in use by another process; give each its own `directory`, or end the other one")]
    Taken(PathBuf),
    /// The system refuses: why, and what helps.
    #[error("`{0}` cannot be used: {1}; {2}")]
    System(PathBuf, String, &'static str),
    /// There is no thread to write with.
    #[error("no thread can be started to write with: {0}; raise the limit of processes and threads")]
    Thread(String),
}

impl StoreError {
    fn of(path: &Path, error: &io::Error) -> Self {
        let advice = match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                "write a `directory` that this process may write in"
            }
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists | io::ErrorKind::IsADirectory => {
                "write a `directory` that is a folder, with nothing else in it"
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room, or write another `directory`",
            _ => "look after the disk, or write another `directory`",
        };
        Self::System(path.to_owned(), error.to_string(), advice)
    }
}

/// An open file, to whose end is written.
#[derive(Debug)]
pub(super) struct Log {
    directory: PathBuf,
    file: File,
    /// Up to here it is whole.
    len: u64,
    /// How long it was when it was written anew.
    base: u64,
    /// Holds the folder.
    _lock: File,
}

/// How far a file could be read.
#[derive(Debug, PartialEq, Eq)]
struct Extent {
    whole: u64,
    rest: Rest,
    /// The latest time that an entry tells.
    latest: Option<UnixMs>,
}

impl Extent {
    /// What of budgets is missing where nothing behind the extent counts.
    fn lacks(&self) -> String {
        match self.latest.and_then(|at| Timestamp::from_millisecond(at).ok()) {
            Some(latest) => format!("everything that was booked after {latest:.0} is missing"),
            None => "all that was ever booked is missing: they begin at nothing".to_owned(),
        }
    }
}

/// What stands behind what could be read.
#[derive(Debug, PartialEq, Eq)]
enum Rest {
    Nothing,
    /// The beginning of an entry, and nothing behind it: a crash.
    Torn,
    /// More entries.
    Damaged,
}

impl Log {
    /// Restores `budgets` from the file of a folder.
    pub(super) fn open(directory: &Path, budgets: &Budgets) -> Result<Self, StoreError> {
        let refused = |error: io::Error| StoreError::of(directory, &error);
        fs::create_dir_all(directory).map_err(refused)?;
        let mut options = OpenOptions::new();
        let lock = options.create(true).truncate(false).write(true);
        let was_used = directory.join("budgets.lock").exists();
        let lock = lock.open(directory.join("budgets.lock")).map_err(refused)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Taken(directory.to_owned())),
            Err(TryLockError::Error(error)) => return Err(refused(error)),
        }
        let path = directory.join("budgets.log");
        let before = match File::open(&path) {
            Ok(file) => Some(read(file, |entry| budgets.restore(entry)).map_err(refused)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(refused(error)),
        };
        tell(directory, before.as_ref(), was_used);
        match before {
            Some(Extent { whole, rest: Rest::Nothing | Rest::Torn, .. }) if whole > 0 => {
                let anew =
                    if whole > SMALL { write_anew(directory, |each| budgets.whole(each)).map(Some) } else { Ok(None) };
                match anew {
                    Ok(Some((file, len))) => Ok(Self::of(directory, file, len, lock)),
                    Ok(None) => Self::go_on(directory, whole, lock).map_err(refused),
                    // Of a full disk that is no reason to hold spans up: the file is intact, if long.
                    Err(error) => {
                        tracing::warn!(%error, "the budgets' store cannot be written anew, and stays as long as it is");
                        Self::go_on(directory, whole, lock).map_err(refused)
                    }
                }
            }
            before => {
                if let Some(extent) = before.filter(|before| before.rest == Rest::Damaged) {
                    set_aside(&path, &extent).map_err(refused)?;
                }
                let (file, len) = write_anew(directory, |each| budgets.whole(each)).map_err(refused)?;
                Ok(Self::of(directory, file, len, lock))
            }
        }
    }

    fn of(directory: &Path, file: File, len: u64, lock: File) -> Self {
        Self { directory: directory.to_owned(), file, len, base: len, _lock: lock }
    }

    fn go_on(directory: &Path, whole: u64, lock: File) -> io::Result<Self> {
        let mut file = OpenOptions::new().write(true).open(directory.join("budgets.log"))?;
        let torn = file.metadata()?.len().saturating_sub(whole);
        if torn > 0 {
            tracing::info!(bytes = torn, "the budgets' store ends within an entry, as after a crash: that is left out");
            file.set_len(whole)?;
        }
        file.seek(SeekFrom::End(0))?;
        Ok(Self::of(directory, file, whole, lock))
    }

    /// Bytes of the file.
    pub(super) const fn len(&self) -> u64 {
        self.len
    }

    /// Whether it is time to write it anew.
    pub(super) const fn is_grown(&self) -> bool {
        self.len > SMALL && self.len / GROWN > self.base
    }

    /// Writes entries to the end, down to the disk.
    pub(super) fn append(&mut self, entries: &[Entry]) -> io::Result<()> {
        let mut lines = Vec::new();
        for entry in entries {
            write_line(&mut lines, &serde_json::to_vec(entry)?);
        }
        let written = self.file.write_all(&lines).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // What is half written goes again, where that is possible: else the next start leaves it out.
            let _ = self.file.set_len(self.len).and_then(|()| self.file.seek(SeekFrom::Start(self.len)));
            return Err(error);
        }
        self.len += lines.len() as u64;
        Ok(())
    }

    /// It is not written anew before it has grown as much again.
    pub(super) const fn put_off(&mut self) {
        self.base = self.len;
    }

    /// Puts a file with what `fill` gives in the place of this one, or leaves this one as it is.
    pub(super) fn rewrite(&mut self, fill: impl FnOnce(&mut dyn FnMut(Entry))) -> io::Result<()> {
        let (file, len) = write_anew(&self.directory, fill)?;
        (self.file, self.len, self.base) = (file, len, len);
        Ok(())
    }
}

#[cfg(all(test, target_os = "linux"))]
impl Log {
    /// From now on this is its file.
    pub(super) fn replace(&mut self, file: File) {
        self.file = file;
    }
}

/// A new file in the place of the one that there is: whole, or not there at all.
fn write_anew(directory: &Path, fill: impl FnOnce(&mut dyn FnMut(Entry))) -> io::Result<(File, u64)> {
    let (new, path) = (directory.join("budgets.new"), directory.join("budgets.log"));
    let written = || -> io::Result<(File, u64)> {
        let mut out = BufWriter::new(File::create(&new)?);
        let (mut len, mut failure, mut line) = (0, None, Vec::new());
        write_line(&mut line, HEADER.as_bytes());
        out.write_all(&line)?;
        len += line.len() as u64;
        fill(&mut |entry| {
            line.clear();
            let written = serde_json::to_vec(&entry).map_err(io::Error::from).and_then(|json| {
                write_line(&mut line, &json);
                out.write_all(&line)
            });
            len += line.len() as u64;
            failure = failure.take().or(written.err());
        });
        if let Some(error) = failure {
            return Err(error);
        }
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        File::open(directory)?.sync_all()?;
        Ok((file, len))
    };
    written().inspect_err(|_| drop(fs::remove_file(&new)))
}

/// Says what budgets go on with. What is damaged is said by who sets it aside.
fn tell(directory: &Path, before: Option<&Extent>, was_used: bool) {
    let store = directory.display();
    match before {
        Some(Extent { rest: Rest::Damaged, .. }) => {}
        Some(extent) if extent.whole == 0 => {
            tracing::warn!(%store, "the budgets' store is empty, as if somebody had emptied it: budgets begin at nothing");
        }
        Some(Extent { whole, latest, .. }) => {
            let latest = latest.and_then(|at| Timestamp::from_millisecond(at).ok()).unwrap_or(Timestamp::UNIX_EPOCH);
            tracing::info!(%store, bytes = whole, latest = %format_args!("{latest:.0}"), "budgets go on with what was kept");
        }
        None if was_used => {
            tracing::warn!(
                %store,
                "the budgets' store is gone from a folder that was used for one: budgets begin at nothing; put `budgets.log` \
                 back and restart where it is only elsewhere"
            );
        }
        None => tracing::info!(%store, "budgets are kept from now on; nothing was kept before"),
    }
}

/// Gives a file another name. It keeps its own until the new one takes its place: a crash in between finds it there.
fn set_aside(path: &Path, extent: &Extent) -> io::Result<()> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
    let aside = path.with_extension(format!("log.damaged-{now}"));
    // Not every file system has links.
    fs::hard_link(path, &aside).or_else(|_| fs::copy(path, &aside).map(drop))?;
    let lost = fs::metadata(path)?.len().saturating_sub(extent.whole);
    tracing::error!(
        file = %path.display(),
        set_aside = %aside.display(),
        intact_bytes = extent.whole,
        lost_bytes = lost,
        "the budgets' store is damaged and set aside. Budgets go on with what stands before the damage: {}",
        extent.lacks()
    );
    Ok(())
}

fn sum(json: &[u8]) -> String {
    let digest = Sha256::digest(json);
    hex::encode(digest.get(..SUM_LEN / 2).unwrap_or_default())
}

fn write_line(lines: &mut Vec<u8>, json: &[u8]) {
    lines.extend_from_slice(sum(json).as_bytes());
    lines.push(b' ');
    lines.extend_from_slice(json);
    lines.push(b'\n');
}

/// The JSON of a line that is as it was written.
fn checked(line: &[u8]) -> Option<&[u8]> {
    let (told, json) = line.strip_suffix(b"\n")?.split_at_checked(SUM_LEN)?;
    json.strip_prefix(b" ").filter(|json| sum(json).as_bytes() == told)
}

/// Reads entry by entry, up to the first that is not as it was written.
fn read(file: File, mut each: impl FnMut(Entry)) -> io::Result<Extent> {
    let (mut reader, mut whole, mut line) = (BufReader::new(file), 0, Vec::new());
    let mut latest = None;
    while next(&mut reader, &mut line)? {
        let is_read = match checked(&line) {
            Some(header) if whole == 0 => header == HEADER.as_bytes(),
            Some(json) if whole > 0 => serde_json::from_slice(json)
                .map(|entry: Entry| {
                    latest = latest.max(entry.at());
                    each(entry);
                })
                .is_ok(),
            _ => false,
        };
        if !is_read {
            let rest = if whole > 0 && !has_more(&mut reader, &line)? { Rest::Torn } else { Rest::Damaged };
            return Ok(Extent { whole, rest, latest });
        }
        whole += line.len() as u64;
    }
    Ok(Extent { whole, rest: Rest::Nothing, latest })
}

/// Whether `line` or anything behind it is as it was written.
fn has_more(reader: &mut impl BufRead, line: &[u8]) -> io::Result<bool> {
    let mut line = line.to_vec();
    loop {
        if checked(&line).is_some() {
            return Ok(true);
        }
        if !next(reader, &mut line)? {
            return Ok(false);
        }
    }
}

fn next(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    reader.by_ref().take(LONGEST_LINE).read_until(b'\n', line)?;
    Ok(!line.is_empty())
}
