//! A whole model: what is missing of it is fetched, file by file, by one process at a time.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use crate::download::{Source, Step};
use crate::error::Error;
use crate::listing::Listing;
use crate::manifest::{Expected, Manifest, file_len, part};
use crate::partial::is_as_expected;
use crate::repository::Repository;
use crate::settings::Settings;
use crate::transport::Transport;

const LOCK: &str = ".dacapo-pull.lock";
/// Room that a pull leaves for everybody else.
const SPARE_BYTES: u64 = 256 << 20;

/// What a pull tells while it runs; lengths in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// Another process pulls the same model.
    Waiting,
    /// A file that is there is hashed, as no pull has vouched for it.
    Checking { file: &'a str },
    /// So much of the whole model is on disk.
    Progress { file: &'a str, n_bytes: u64, n_total: u64 },
    /// A request failed and is made again.
    Retrying { reason: &'a str },
}

/// A model that is whole on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    pub directory: PathBuf,
    pub commit: String,
    pub n_files: usize,
    pub n_bytes: u64,
    /// Files that were not in place before; none if there was nothing to do.
    pub n_fetched: usize,
}

/// Brings the files of `repository` at `revision` into its directory under [`Settings::models`].
///
/// Interrupted at any moment it leaves whole files and files named `.part`, from which the next call goes on.
pub fn pull(
    settings: &Settings,
    repository: &Repository,
    revision: &str,
    report: &mut dyn FnMut(Event),
) -> Result<Pulled, Error> {
    if settings.offline {
        return Err(Error::Offline);
    }
    let transport = Transport::new(settings)?;
    let mut on_retry = |reason: &str| report(Event::Retrying { reason });
    let listing = Listing::fetch(&transport, settings.retry, repository, revision, &mut on_retry)?;
    let directory = repository.directory(&settings.models);
    fs::create_dir_all(&directory).map_err(Error::io(&directory))?;
    let _lock = lock(&directory, report)?;

    let earlier = Manifest::read(&directory);
    let name = repository.to_string();
    let mut manifest = Manifest::new(&name, revision, listing, earlier.as_ref(), &directory);
    verify_present(&mut manifest, &directory, report)?;
    drop_stale_parts(&manifest, earlier.as_ref(), &directory)?;
    manifest.write(&directory)?;
    check_space(settings, &manifest, &directory)?;

    let source = Source {
        transport: &transport,
        retry: settings.retry,
        repository,
        commit: &manifest.commit.clone(),
    };
    let n_fetched = fetch_missing(&source, &mut manifest, &directory, report)?;
    if let Some(earlier) = &earlier {
        remove_dropped(&manifest, earlier, &directory)?;
    }
    Ok(Pulled {
        commit: manifest.commit,
        n_files: manifest.files.len(),
        n_bytes: manifest.files.iter().map(|file| file.n_bytes).sum(),
        n_fetched,
        directory,
    })
}

/// Held until the file is closed, which the system does for a process that dies.
fn lock(directory: &Path, report: &mut dyn FnMut(Event)) -> Result<File, Error> {
    let path = directory.join(LOCK);
    let file = File::create(&path).map_err(Error::io(&path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            report(Event::Waiting);
            file.lock().map_err(Error::io(&path))?;
        }
        Err(TryLockError::Error(source)) => return Err(Error::Io { path, source }),
    }
    Ok(file)
}

/// Hashes files of the right length that nobody has vouched for.
fn verify_present(
    manifest: &mut Manifest,
    directory: &Path,
    report: &mut dyn FnMut(Event),
) -> Result<(), Error> {
    for file in manifest.files.iter_mut().filter(|file| !file.verified) {
        if file_len(&directory.join(&file.name)) == Some(file.n_bytes) {
            report(Event::Checking { file: &file.name });
            file.verified = is_as_expected(file, directory)?;
        }
    }
    Ok(())
}

/// Removes the beginnings of other contents than the expected ones.
fn drop_stale_parts(
    manifest: &Manifest,
    earlier: Option<&Manifest>,
    directory: &Path,
) -> Result<(), Error> {
    for file in &manifest.files {
        let earlier = earlier.and_then(|manifest| manifest.file(&file.name));
        if file.verified || earlier.is_none_or(|earlier| earlier.digest != file.digest) {
            remove_if_there(&part(&directory.join(&file.name)))?;
        }
    }
    Ok(())
}

fn check_space(settings: &Settings, manifest: &Manifest, directory: &Path) -> Result<(), Error> {
    let missing_of = |file: &Expected| {
        let here = file_len(&part(&directory.join(&file.name))).unwrap_or(0);
        file.n_bytes.saturating_sub(here)
    };
    let missing = manifest.files.iter().filter(|file| !file.verified).map(missing_of);
    let missing = missing.fold(0, u64::saturating_add);
    if missing == 0 {
        return Ok(());
    }
    let free = (settings.free_space)(directory).map_err(Error::io(directory))?;
    let needed = missing.saturating_add(SPARE_BYTES);
    match needed <= free {
        true => Ok(()),
        false => Err(Error::NoSpace { directory: directory.to_owned(), missing, needed, free }),
    }
}

/// The number of files that were fetched.
fn fetch_missing(
    source: &Source,
    manifest: &mut Manifest,
    directory: &Path,
    report: &mut dyn FnMut(Event),
) -> Result<usize, Error> {
    let n_total = manifest.files.iter().map(|file| file.n_bytes).fold(0, u64::saturating_add);
    let mut n_here: u64 =
        manifest.files.iter().filter(|file| file.verified).map(|file| file.n_bytes).sum();
    let missing: Vec<usize> = (0..manifest.files.len())
        .filter(|idx| !manifest.files.get(*idx).is_some_and(|file| file.verified))
        .collect();
    for idx in &missing {
        let Some(file) = manifest.files.get_mut(*idx) else { continue };
        let mut on_step = |step: Step| match step {
            Step::At(n_bytes) => {
                report(Event::Progress { file: &file.name, n_bytes: n_here + n_bytes, n_total });
            }
            Step::Retrying(reason) => report(Event::Retrying { reason }),
        };
        source.download(file, directory, &mut on_step)?;
        n_here += file.n_bytes;
        file.verified = true;
        manifest.write(directory)?;
    }
    Ok(missing.len())
}

/// A loader must not find a shard or an index of the revision before.
fn remove_dropped(manifest: &Manifest, earlier: &Manifest, directory: &Path) -> Result<(), Error> {
    for file in earlier.files.iter().filter(|file| manifest.file(&file.name).is_none()) {
        let path = directory.join(&file.name);
        remove_if_there(&part(&path))?;
        remove_if_there(&path)?;
    }
    Ok(())
}

fn remove_if_there(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::Io { path: path.to_owned(), source: error })
        }
        _ => Ok(()),
    }
}
