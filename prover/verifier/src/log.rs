//! The decision log: JSON Lines, append only. Line 1 is the header, then one line a decision or an announcement of other weights, then
//! (once) the seal.

use crate::since::LogMark;
use crate::{Digest, Rotation, genesis_head, mandate_digest, next_head, rotation_head};
use probity_strategy::{Mandate, Record};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use thiserror::Error;

/// The word in the header's `format` field.
pub const LOG_FORMAT: &str = "probity-log";
/// Version of the log format.
pub const LOG_VERSION: u16 = 2;
/// Longest line a reader takes, bytes.
pub const MAX_LINE: u64 = 64 * 1024;

/// Why a log cannot be read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LogError {
    /// The file system refused.
    #[error("log: {0}")]
    Io(#[from] io::Error),
    /// A line does not parse.
    #[error("log line {line}: {problem}")]
    Malformed {
        /// Line, from 1.
        line: u64,
        /// What is wrong, with the field where one is known.
        problem: String,
    },
}

/// First line of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`LOG_FORMAT`].
    pub format: String,
    /// [`LOG_VERSION`].
    pub version: u16,
    /// Version of the program that wrote it.
    pub program_version: String,
    /// Commitment to the private model.
    pub model_commitment: Digest,
    /// Digest of the mandate below.
    pub mandate_digest: Digest,
    /// Head before the first decision.
    pub genesis_head: Digest,
    /// The mandate.
    pub mandate: Mandate,
}

impl Header {
    /// The header for a mandate and a commitment.
    #[must_use]
    pub fn new(mandate: Mandate, model_commitment: Digest) -> Self {
        let mandate_digest = mandate_digest(&mandate);
        Self {
            format: LOG_FORMAT.to_owned(),
            version: LOG_VERSION,
            program_version: env!("CARGO_PKG_VERSION").to_owned(),
            genesis_head: genesis_head(&mandate_digest, &model_commitment),
            model_commitment,
            mandate_digest,
            mandate,
        }
    }
}

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What was seen and decided.
    pub record: Record,
    /// Head after it.
    pub head: Digest,
}

/// Other weights, announced between two decisions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Announcement {
    /// Which, and from when.
    pub rotation: Rotation,
    /// Head after it.
    pub head: Digest,
}

/// Last line of a closed log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    /// Number of decisions.
    pub decisions: u32,
    /// Head after the last one.
    pub head: Digest,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    record: Option<Record>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rotation: Option<Rotation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    head: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seal: Option<Seal>,
}

/// A line after the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A decision.
    Entry(Box<Entry>),
    /// Other weights are announced.
    Announcement(Announcement),
    /// The seal.
    Seal(Seal),
}

/// Reads the lines of a log or of a part of one, in bounded memory.
#[derive(Debug)]
pub(crate) struct Reader<R> {
    inner: R,
    line: u64,
    bytes: u64,
    /// Of all bytes read, where somebody wants to know.
    digest: Option<Sha256>,
}

impl<R: BufRead> Reader<R> {
    pub(crate) const fn new(inner: R) -> Self {
        Self { inner, line: 0, bytes: 0, digest: None }
    }

    pub(crate) const fn line(&self) -> u64 {
        self.line
    }

    /// The bytes of the next line without its end, or none at the end.
    fn raw(&mut self) -> Result<Option<Vec<u8>>, LogError> {
        let line = next_line(&mut self.inner, &mut self.line)?;
        if let Some(bytes) = &line {
            self.bytes = self.bytes.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX)).saturating_add(1);
            if let Some(digest) = &mut self.digest {
                digest.update(bytes);
                digest.update(b"\n");
            }
        }
        Ok(line)
    }

    /// The first line, of whatever form.
    pub(crate) fn header<H: serde::de::DeserializeOwned>(&mut self) -> Result<H, LogError> {
        let bytes = self.raw()?.ok_or_else(|| malformed(1, "header: expected one, got an empty file"))?;
        parse(&bytes, self.line)
    }

    /// The next line, or none at the end.
    pub(crate) fn next_line(&mut self) -> Result<Option<Line>, LogError> {
        let Some(bytes) = self.raw()? else { return Ok(None) };
        match parse(&bytes, self.line)? {
            Wire { record: Some(record), rotation: None, head: Some(head), seal: None } => {
                Ok(Some(Line::Entry(Box::new(Entry { record, head }))))
            }
            Wire { record: None, rotation: Some(rotation), head: Some(head), seal: None } => {
                Ok(Some(Line::Announcement(Announcement { rotation, head })))
            }
            Wire { record: None, rotation: None, head: None, seal: Some(seal) } => Ok(Some(Line::Seal(seal))),
            _ => Err(malformed(self.line, "expected {record, head}, {rotation, head} or {seal}, got another set of fields")),
        }
    }
}

/// Reads a log line by line in bounded memory.
#[derive(Debug)]
pub struct LogReader<R> {
    inner: Reader<R>,
    header: Header,
}

impl LogReader<BufReader<File>> {
    /// Opens a log file.
    pub fn open(path: &Path) -> Result<Self, LogError> {
        Self::new(BufReader::new(File::open(path)?))
    }
}

impl<R: BufRead> LogReader<R> {
    /// Reads the header. The header's digests are not checked here: the audit does.
    pub fn new(inner: R) -> Result<Self, LogError> {
        Self::of(Reader::new(inner))
    }

    /// The same, digesting every byte for [`Self::mark`].
    pub(crate) fn digesting(inner: R) -> Result<Self, LogError> {
        Self::of(Reader { digest: Some(Sha256::new()), ..Reader::new(inner) })
    }

    fn of(mut inner: Reader<R>) -> Result<Self, LogError> {
        let header: Header = inner.header()?;
        if header.format != LOG_FORMAT {
            return Err(malformed(1, format!("format: expected {LOG_FORMAT}, got {:?}", header.format)));
        }
        if header.version != LOG_VERSION {
            return Err(malformed(1, format!("version: expected {LOG_VERSION}, got {}", header.version)));
        }
        Ok(Self { inner, header })
    }

    /// The header.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The line read last, from 1.
    pub const fn line(&self) -> u64 {
        self.inner.line()
    }

    /// What was read so far; the digest is empty unless this reader digests.
    pub(crate) fn mark(&self) -> LogMark {
        let sha256 = self.inner.digest.clone().map(|d| hex::encode(d.finalize())).unwrap_or_default();
        LogMark { lines: self.inner.line, bytes: self.inner.bytes, sha256 }
    }

    /// Passes over lines without parsing them, up to so many of the log; false if it ends before.
    pub(crate) fn pass(&mut self, lines: u64) -> Result<bool, LogError> {
        while self.inner.line < lines {
            if self.inner.raw()?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The next line, or none at the end.
    pub fn next_line(&mut self) -> Result<Option<Line>, LogError> {
        self.inner.next_line()
    }
}

fn malformed(line: u64, problem: impl Into<String>) -> LogError {
    LogError::Malformed { line, problem: problem.into() }
}

fn parse<T: serde::de::DeserializeOwned>(bytes: &[u8], line: u64) -> Result<T, LogError> {
    serde_json::from_slice(bytes).map_err(|e| {
        let text = e.to_string().replacen(&format!("at line {} column", e.line()), "at column", 1);
        malformed(line, text)
    })
}

fn next_line<R: BufRead>(inner: &mut R, line: &mut u64) -> Result<Option<Vec<u8>>, LogError> {
    let mut bytes = Vec::new();
    inner.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut bytes)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    *line += 1;
    if bytes.pop() != Some(b'\n') {
        let problem = if u64::try_from(bytes.len()).unwrap_or(u64::MAX) >= MAX_LINE {
            "longer than 65536 bytes"
        } else {
            "does not end: torn write or truncated log"
        };
        return Err(malformed(*line, problem));
    }
    Ok(Some(bytes))
}

/// Appends to a log; computes every head itself.
#[derive(Debug)]
pub struct LogWriter {
    file: File,
    head: Digest,
    decisions: u32,
    /// First decision of the weights announced last.
    ahead: Option<u32>,
    sync: bool,
    sealed: bool,
}

impl LogWriter {
    /// Starts a new log; an existing file is refused. With `sync`, every line is on the disk before its call returns.
    pub fn create(path: &Path, header: &Header, sync: bool) -> Result<Self, LogError> {
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        let mut log = Self { file, head: header.genesis_head, decisions: 0, ahead: None, sync, sealed: false };
        log.write(header)?;
        Ok(log)
    }

    /// Continues a log after checking its chain of heads; a torn, broken or sealed log is refused.
    pub fn resume(path: &Path, sync: bool) -> Result<(Header, Self), LogError> {
        let mut reader = LogReader::open(path)?;
        let (mut head, mut decisions, mut ahead) = (reader.header().genesis_head, 0u32, None);
        while let Some(line) = reader.next_line()? {
            match line {
                Line::Entry(entry) => {
                    head = next_head(&head, &entry.record);
                    if head != entry.head {
                        return Err(malformed(reader.line(), format!("head: expected {head}, got {}", entry.head)));
                    }
                    decisions = decisions.saturating_add(1);
                }
                Line::Announcement(announcement) => {
                    head = rotation_head(&head, &announcement.rotation);
                    if head != announcement.head {
                        return Err(malformed(reader.line(), format!("head: expected {head}, got {}", announcement.head)));
                    }
                    ahead = Some(announcement.rotation.at_step);
                }
                Line::Seal(_) => return Err(malformed(reader.line(), "seal: expected an open log, got a sealed one")),
            }
        }
        let file = OpenOptions::new().append(true).open(path)?;
        Ok((reader.header.clone(), Self { file, head, decisions, ahead, sync, sealed: false }))
    }

    /// Appends a decision and returns the head after it.
    pub fn append(&mut self, record: &Record) -> Result<Digest, LogError> {
        self.check_open()?;
        if record.observation.step != self.decisions {
            return Err(malformed(0, format!("record.observation.step: expected {}, got {}", self.decisions, record.observation.step)));
        }
        let head = next_head(&self.head, record);
        self.write(&Wire { record: Some(record.clone()), rotation: None, head: Some(head), seal: None })?;
        (self.head, self.decisions) = (head, self.decisions.saturating_add(1));
        Ok(head)
    }

    /// Appends the announcement of other weights and returns the head after it.
    pub fn announce(&mut self, rotation: &Rotation) -> Result<Digest, LogError> {
        self.check_open()?;
        rotation.check(self.decisions).map_err(|e| malformed(0, e.to_string()))?;
        if let Some(step) = self.ahead.filter(|step| *step >= self.decisions) {
            return Err(malformed(0, format!("rotation: expected one at a time, another is ahead until decision {step} is made")));
        }
        let head = rotation_head(&self.head, rotation);
        self.write(&Wire { record: None, rotation: Some(*rotation), head: Some(head), seal: None })?;
        (self.head, self.ahead) = (head, Some(rotation.at_step));
        Ok(head)
    }

    /// Closes the log for good.
    pub fn seal(&mut self) -> Result<Seal, LogError> {
        self.check_open()?;
        let seal = Seal { decisions: self.decisions, head: self.head };
        self.write(&Wire { record: None, rotation: None, head: None, seal: Some(seal.clone()) })?;
        self.sealed = true;
        Ok(seal)
    }

    /// Head after the last decision.
    pub const fn head(&self) -> Digest {
        self.head
    }

    /// Decisions so far.
    pub const fn decisions(&self) -> u32 {
        self.decisions
    }

    fn check_open(&self) -> Result<(), LogError> {
        if self.sealed { Err(malformed(0, "seal: expected an open log, got a sealed one")) } else { Ok(()) }
    }

    fn write<T: Serialize>(&mut self, value: &T) -> Result<(), LogError> {
        let mut bytes = serde_json::to_vec(value).map_err(io::Error::from)?;
        bytes.push(b'\n');
        self.file.write_all(&bytes)?;
        if self.sync {
            self.file.sync_data()?;
        }
        Ok(())
    }
}
