//! The prover's own parameters on disk: made once, loaded later. For the prover only; verifiers derive theirs.
//!
//! All integers big endian: magic (8 bytes), version u16, binding length u32, binding (JSON), parameters digest (32), public
//! parameters length u64, public parameters, ordinates of their affine points (32 bytes each, so that reading takes no square
//! roots), SHA-256 of all before. The binding names circuit version, shape, decisions a fold,
//! engine, digest of the powers-of-tau file, program and proof library; its hash is in the file's name. A file that is damaged,
//! of something else, or writable by others is not used: the parameters are made anew, with a warning. Whoever can write the
//! operator's own files could let proofs leak the weights (`docs/decisions/0005-mercury-and-believed-files.md`): the file is
//! private like a key, with mode 0600. The keys are not in it: they follow from the parameters.

use crate::{Params, plain};
use probity_curve::{recorded, remembered};
use probity_strategy::{Mandate, ModelShape, ProofEngine};
use probity_verifier::{
    ByEngine, CIRCUIT_VERSION, Digest, FileDigest, KeysError, Origin, ParamsSource, PtauError, PublicParams, Setup, engine_name, quietly,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Instant;

const MAGIC: [u8; 8] = *b"PROBITYP";
const VERSION: u16 = 2;
/// Largest public parameters, bytes.
const MAX_PUBLIC: usize = 1 << 31;
/// The library that lays the parameters out; its version is pinned exactly.
const LIBRARY: &str = "nova-snark 0.76.0";

/// What [`plain`] reads.
fn bincode_config() -> impl bincode::config::Config {
    bincode::config::standard().with_fixed_int_encoding().with_limit::<MAX_PUBLIC>()
}

/// What a file is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Binding {
    circuit_version: u16,
    shape: ModelShape,
    decisions_per_fold: u16,
    engine: String,
    /// BLAKE2b-512 of the powers-of-tau file; none for the transparent engine.
    source: Option<String>,
    program: String,
    /// Fingerprint of the sources that lay the circuit out: a program under development changes them without a new version.
    sources: String,
    library: String,
}

impl Binding {
    fn file_name(&self) -> Result<String, serde_json::Error> {
        // Other sources take the place of the old file: nobody else has use for it.
        let hash = Sha256::digest(serde_json::to_vec(&Self { sources: String::new(), ..self.clone() })?);
        let short = hex::encode(hash.get(..8).unwrap_or_default());
        Ok(format!("params-v{}-b{}-{}-{short}.bin", self.circuit_version, self.decisions_per_fold, self.engine))
    }
}

/// Why a file is not used.
enum Unusable {
    Missing,
    Because(String),
}

impl Unusable {
    fn because(reason: impl ToString) -> Self {
        Self::Because(reason.to_string())
    }
}

impl Params {
    /// The parameters of a shape from the file in `dir` that an earlier call left there, else derived, and kept there. The
    /// powers-of-tau file is digested and has to be believed every time. A file that cannot be used or written costs a warning
    /// and time, nothing else.
    pub fn cached(
        dir: &Path,
        shape: &ModelShape,
        decisions_per_fold: u16,
        engine: ProofEngine,
        source: &ParamsSource,
    ) -> Result<Self, KeysError> {
        let origin = origin(engine, source)?;
        let binding = Binding {
            circuit_version: CIRCUIT_VERSION,
            shape: shape.clone(),
            decisions_per_fold,
            engine: engine_name(engine).to_owned(),
            source: digest_of(&origin).map(|d| d.to_string()),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            sources: env!("PROBITY_CIRCUIT_SOURCES").to_owned(),
            library: LIBRARY.to_owned(),
        };
        let path = match binding.file_name() {
            Ok(name) => dir.join(name),
            Err(error) => {
                tracing::warn!(%error, "no name for a parameters file: they are derived");
                return Self::derive(shape, decisions_per_fold, engine, source);
            }
        };
        let started = Instant::now();
        match load(&path, &binding, origin) {
            Ok(params) => {
                tracing::info!(path = %path.display(), seconds = started.elapsed().as_secs_f64(), "parameters loaded");
                return Ok(params);
            }
            Err(Unusable::Missing) => {}
            Err(Unusable::Because(reason)) => tracing::warn!(path = %path.display(), reason, "parameters file not used: made anew"),
        }
        let params = Self::derive(shape, decisions_per_fold, engine, source)?;
        if let Err(error) = store(dir, &path, &binding, &params) {
            tracing::warn!(path = %path.display(), %error, "parameters file not written: they will be derived again next time");
        }
        Ok(params)
    }

    /// The same for a mandate.
    pub fn cached_for_mandate(dir: &Path, mandate: &Mandate, source: &ParamsSource) -> Result<Self, KeysError> {
        Self::cached(dir, &mandate.model, mandate.decisions_per_fold, mandate.proof_engine, source)
    }
}

/// Digests and judges the source as deriving would, without reading points.
fn origin(engine: ProofEngine, source: &ParamsSource) -> Result<Origin, KeysError> {
    match (engine, source) {
        (ProofEngine::Transparent, _) => Ok(Origin::Transparent),
        (ProofEngine::Pairing, ParamsSource::Ceremony { path, accept }) => {
            let refused = |source: PtauError| KeysError::Ptau { path: path.clone(), source };
            let digest = File::open(path).and_then(FileDigest::of).map_err(|e| refused(e.into()))?;
            Origin::of(digest, accept).ok_or_else(|| refused(PtauError::NotBelieved { got: digest }))
        }
        (ProofEngine::Pairing, ParamsSource::Transparent) => Err(KeysError::Unsupported {
            field: "proof_engine",
            expected: "a powers-of-tau file beside a mandate of the pairing engine",
            got: "pairing and no file".to_owned(),
        }),
    }
}

const fn digest_of(origin: &Origin) -> Option<&FileDigest> {
    match origin {
        Origin::KnownCeremony { blake2b, .. } | Origin::NamedByDigest { blake2b } | Origin::Insecure { blake2b, .. } => Some(blake2b),
        _ => None,
    }
}

fn load(path: &Path, binding: &Binding, origin: Origin) -> Result<Params, Unusable> {
    let started = Instant::now();
    let bytes = match read_private(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(Unusable::Missing),
        Err(e) => return Err(Unusable::because(e)),
    };
    let (body, sum) = bytes.split_last_chunk::<32>().ok_or_else(damaged)?;
    // Until the sum is known the bytes may be any, and the library panics on some.
    let parse = || catch_unwind(AssertUnwindSafe(|| parse(body, binding, &origin))).unwrap_or_else(|_| Err(damaged()));
    let (whole, parsed) = rayon::join(|| Sha256::digest(body).as_slice() == sum, parse);
    if !whole {
        return Err(damaged());
    }
    let (digest, public) = parsed?;
    tracing::debug!(seconds = started.elapsed().as_secs_f64(), "decoded");
    let setup = Setup::of_public(&binding.shape, binding.decisions_per_fold, origin, public).map_err(Unusable::because)?;
    // The digest covers every matrix entry and every point. The keys need it, and much besides it.
    let (got, keys) = rayon::join(|| setup.public().digest(), || setup.keys());
    if got != digest {
        return Err(Unusable::because(format!("expected parameters with the digest {digest}, got {got}")));
    }
    tracing::debug!(seconds = started.elapsed().as_secs_f64(), "digest compared, keys made");
    let (prover_key, keys) = keys.map_err(Unusable::because)?;
    Ok(Params::of(setup, prover_key, keys, true))
}

fn damaged() -> Unusable {
    Unusable::because("damaged or cut short")
}

/// The parameters in a file's body, and the digest that they should have.
fn parse(body: &[u8], binding: &Binding, origin: &Origin) -> Result<(Digest, PublicParams), Unusable> {
    let mut rest = body;
    if take::<8>(&mut rest).ok_or_else(damaged)? != MAGIC || u16::from_be_bytes(take(&mut rest).ok_or_else(damaged)?) != VERSION {
        return Err(Unusable::because("not a parameters file of this version"));
    }
    let length = u32::from_be_bytes(take(&mut rest).ok_or_else(damaged)?);
    let (text, tail) = usize::try_from(length).ok().and_then(|n| rest.split_at_checked(n)).ok_or_else(damaged)?;
    rest = tail;
    let found: Binding = serde_json::from_slice(text).map_err(Unusable::because)?;
    if found != *binding {
        return Err(Unusable::because(format!("expected parameters of {binding:?}, got those of {found:?}")));
    }
    let digest = Digest::from_bytes(take(&mut rest).ok_or_else(damaged)?).map_err(Unusable::because)?;
    let length = u64::from_be_bytes(take(&mut rest).ok_or_else(damaged)?);
    let (encoded, ordinates) = usize::try_from(length).ok().and_then(|n| rest.split_at_checked(n)).ok_or_else(damaged)?;
    if !ordinates.len().is_multiple_of(32) {
        return Err(damaged());
    }
    let public = remembered(ordinates, || -> Result<PublicParams, Unusable> {
        Ok(match origin {
            Origin::Transparent => ByEngine::Transparent(plain::decode(encoded).map_err(Unusable::because)?),
            _ => ByEngine::Pairing(quietly(|| plain::decode(encoded)).map_err(Unusable::because)?.map_err(Unusable::because)?),
        })
    })?;
    Ok((digest, public))
}

/// Reads a file that is this user's and that nobody else can write.
fn read_private(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let (about, me) = (file.metadata()?, rustix::process::geteuid().as_raw());
        if about.mode() & 0o077 != 0 {
            return Err(io::Error::other(format!("expected mode 0600, got {:04o}: others could have written it", about.mode() & 0o7777)));
        }
        if about.uid() != me {
            return Err(io::Error::other(format!("expected a file of this user ({me}), got one of user {}", about.uid())));
        }
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn store(dir: &Path, path: &Path, binding: &Binding, params: &Params) -> io::Result<()> {
    private_folder(dir)?;
    let (public, ordinates) = recorded(|| match params.public() {
        ByEngine::Transparent(public) => encode(public),
        ByEngine::Pairing(public) => encode(public),
    });
    let public = public?;
    let text = serde_json::to_vec(binding)?;
    let mut out = Vec::with_capacity([public.len(), ordinates.len(), text.len(), 128].iter().sum());
    out.extend(MAGIC);
    out.extend(VERSION.to_be_bytes());
    out.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend(text);
    out.extend(params.digest().to_bytes());
    out.extend(u64::try_from(public.len()).unwrap_or(u64::MAX).to_be_bytes());
    out.extend(public);
    out.extend(ordinates);
    let sum = Sha256::digest(&out);
    out.extend(sum);
    write_private(path, &out)
}

/// A folder that did not exist is made for its owner only; one that did is left as it is.
fn private_folder(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// All or nothing, mode 0600: a fresh temporary file of this process beside it, synced, then renamed over it.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = PathBuf::from(format!("{}.{}.tmp", path.display(), std::process::id()));
    match fs::remove_file(&temporary) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.and_then(|()| fs::rename(&temporary, path)).inspect_err(|_| drop(fs::remove_file(&temporary)))
}

fn encode<T: Serialize>(public: &T) -> io::Result<Vec<u8>> {
    bincode::serde::encode_to_vec(public, bincode_config()).map_err(io::Error::other)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn reason(path: &Path, binding: &Binding) -> String {
        match load(path, binding, Origin::Transparent) {
            Err(Unusable::Because(reason)) => reason,
            Err(Unusable::Missing) => "missing".to_owned(),
            Ok(_) => "used".to_owned(),
        }
    }

    fn sealed(mut body: Vec<u8>) -> Vec<u8> {
        let sum = Sha256::digest(&body);
        body.extend(sum);
        body
    }

    /// One file and everything that keeps it from being used; then it is made anew.
    #[test]
    fn a_kept_file_is_used_only_if_it_is_whole_own_and_of_this_circuit() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("state");
        let shape = ModelShape { dims: vec![16, 1, 3], shifts: vec![7], recurrent: None };
        let get = || Params::cached(&folder, &shape, 1, ProofEngine::Transparent, &ParamsSource::Transparent).unwrap();
        let made = get();
        assert!(!made.loaded());
        let path = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
        let bytes = fs::read(&path).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::{MetadataExt, PermissionsExt};
            assert_eq!((fs::metadata(&path).unwrap().mode() & 0o777, fs::metadata(&folder).unwrap().mode() & 0o777), (0o600, 0o700));
            fs::set_permissions(&path, fs::Permissions::from_mode(0o620)).unwrap();
            let again = get();
            assert!(!again.loaded(), "a file that others could write is not used");
            assert_eq!(again.digest(), made.digest());
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600, "and is replaced");
        }
        let loaded = get();
        assert!(loaded.loaded());
        assert_eq!((loaded.digest(), loaded.constraints()), (made.digest(), made.constraints()));
        assert_eq!(loaded.origin(), made.origin());

        let head = 8 + 2 + 4;
        let length = usize::try_from(u32::from_be_bytes(bytes[10..14].try_into().unwrap())).unwrap();
        let binding: Binding = serde_json::from_slice(&bytes[head..head + length]).unwrap();
        let body = bytes[..bytes.len() - 32].to_vec();
        let write = |bytes: &[u8]| fs::write(&path, bytes).unwrap();
        for cut in [0, 31, 40, bytes.len() / 2, bytes.len() - 1] {
            write(&bytes[..cut]);
            assert_eq!(reason(&path, &binding), "damaged or cut short", "{cut} bytes");
        }
        // Resealed by somebody who can write the file: magic, a matrix entry or point, bytes behind.
        let mut other = body.clone();
        other[0] ^= 1;
        write(&sealed(other));
        assert_eq!(reason(&path, &binding), "not a parameters file of this version");
        let public = head + length + 32 + 8;
        let ordinates = public + usize::try_from(u64::from_be_bytes(bytes[public - 8..public].try_into().unwrap())).unwrap();
        assert!(body.len() - ordinates > 1 << 19, "32 bytes a point");
        for at in [public, (public + ordinates) / 2, ordinates - 40_000] {
            let mut other = body.clone();
            other[at] ^= 1;
            write(&sealed(other));
            assert_ne!(reason(&path, &binding), "used", "byte {at}");
        }
        // What the library panics on: a hash of a kind that it does not have. (Six lies in other places as well.)
        let sixes = (public..ordinates - 8).filter(|at| body[*at..at + 4] == [6, 0, 0, 0]);
        let panicked = sixes.take(100).any(|at| {
            let mut other = body.clone();
            other[at..at + 8].copy_from_slice(&[5, 0, 0, 0, 0, 0, 0, 0]);
            write(&sealed(other));
            reason(&path, &binding) == "damaged or cut short"
        });
        assert!(panicked, "no place was found where the library panics");
        // A wrong ordinate costs a square root.
        let mut other = body.clone();
        other[ordinates + 40_000] ^= 1;
        write(&sealed(other));
        assert_eq!(reason(&path, &binding), "used");
        let mut other = body.clone();
        other.push(0);
        write(&sealed(other));
        assert_eq!(reason(&path, &binding), "damaged or cut short");
        // Of something else.
        write(&bytes);
        assert_eq!(reason(&path, &binding), "used");
        for other in [
            Binding { circuit_version: binding.circuit_version + 1, ..binding.clone() },
            Binding { shape: ModelShape::default(), ..binding.clone() },
            Binding { decisions_per_fold: 2, ..binding.clone() },
            Binding { engine: "pairing".to_owned(), ..binding.clone() },
            Binding { source: Some("00".to_owned()), ..binding.clone() },
            Binding { program: "0".to_owned(), ..binding.clone() },
        ] {
            assert!(reason(&path, &other).starts_with("expected parameters of"), "{other:?}");
            assert_ne!(other.file_name().unwrap(), binding.file_name().unwrap());
        }
        let sources = Binding { sources: "0".to_owned(), ..binding.clone() };
        assert!(reason(&path, &sources).starts_with("expected parameters of"));
        assert_eq!(sources.file_name().unwrap(), binding.file_name().unwrap());
    }
}
