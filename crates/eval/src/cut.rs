//! Holes cut in real files: drawn by a seed, balanced over languages, kinds, repositories and files.

mod copies;
mod places;

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::path::{Path, PathBuf};

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use syntax::Language;

use self::copies::Copies;
use self::places::places;
use crate::Error;
use crate::hole::{Hole, Kind};
use crate::repository::{Repository, SourceFile};

/// What to cut.
#[derive(Debug, Clone)]
pub struct CutConfig {
    pub kinds: Vec<Kind>,
    /// Empty for all.
    pub languages: Vec<Language>,
    /// Most holes for each pair of a language and a kind.
    pub n_each: usize,
    pub seed: u64,
    /// Where the set will be written; roots inside are written relative to it.
    pub set_directory: PathBuf,
    /// Put the files of the repository into each hole, instead of naming its root.
    pub inline_files: bool,
}

/// Cuts holes in `directories`, each a repository of its own; the first holes are as balanced as all of them.
///
/// A hole whose lines stand in another file of the repository too is left out, for compiled or vendored copies would give
/// the answer away.
///
/// # Errors
/// [`Error::Read`] for a directory that cannot be read; files in it that cannot are left out.
pub fn cut(directories: &[PathBuf], config: &CutConfig) -> Result<Vec<Hole>, Error> {
    let repositories = directories
        .iter()
        .map(|directory| Repository::read(directory))
        .collect::<Result<Vec<_>, _>>()?;
    let copies: Vec<Copies> = repositories.iter().map(Copies::of).collect();
    let mut groups = Vec::new();
    for language in Language::ALL {
        if !config.languages.is_empty() && !config.languages.contains(&language) {
            continue;
        }
        for kind in &config.kinds {
            groups.push(draw(&repositories, &copies, language, *kind, config));
        }
    }
    let n_most = groups.iter().map(Vec::len).max().unwrap_or(0);
    let mut queues: Vec<_> = groups.into_iter().map(Vec::into_iter).collect();
    Ok((0..n_most)
        .flat_map(|_| queues.iter_mut().filter_map(Iterator::next).collect::<Vec<_>>())
        .collect())
}

/// Places of one file that are left, in the order they were drawn.
struct Drawn<'a> {
    file: &'a SourceFile,
    places: VecDeque<Range<usize>>,
}

fn draw(
    repositories: &[Repository],
    copies: &[Copies],
    language: Language,
    kind: Kind,
    config: &CutConfig,
) -> Vec<Hole> {
    // A group draws by itself, so that one more language or kind leaves the others as they are.
    let stream = format!("{}/{kind}", language.name());
    let stream = stream.bytes().fold(0_u64, |hash, byte| hash.wrapping_mul(31) + u64::from(byte));
    let mut random = ChaCha8Rng::seed_from_u64(config.seed);
    random.set_stream(stream);
    let mut queues: Vec<VecDeque<Drawn>> = Vec::new();
    for (repository, copies) in repositories.iter().zip(copies) {
        let mut files = Vec::new();
        for (file_idx, file) in repository.files.iter().enumerate() {
            if file.language != language {
                continue;
            }
            let mut found = places(kind, repository, file, &mut random);
            found.retain(|place| !copies.has_another(file_idx, &file.text, place));
            found.shuffle(&mut random);
            if !found.is_empty() {
                files.push(Drawn { file, places: found.into() });
            }
        }
        files.shuffle(&mut random);
        queues.push(files.into());
    }
    let mut holes = Vec::new();
    while holes.len() < config.n_each && queues.iter().any(|queue| !queue.is_empty()) {
        for (repository, queue) in repositories.iter().zip(&mut queues) {
            let Some(mut drawn) = queue.pop_front() else { continue };
            let Some(place) = drawn.places.pop_front() else { continue };
            if let Some(hole) = hole(repository, drawn.file, kind, place, config)
                && holes.len() < config.n_each
            {
                holes.push(hole);
            }
            if !drawn.places.is_empty() {
                queue.push_back(drawn);
            }
        }
    }
    holes
}

fn hole(
    repository: &Repository,
    file: &SourceFile,
    kind: Kind,
    place: Range<usize>,
    config: &CutConfig,
) -> Option<Hole> {
    let prompt = file.text.get(..place.start)?;
    let line = prompt.matches('\n').count() + 1;
    let column = prompt.rsplit('\n').next()?.chars().count() + 1;
    let name = repository.root.file_name().unwrap_or_default().to_string_lossy();
    let files = match config.inline_files {
        true => repository
            .files
            .iter()
            .filter(|other| other.path != file.path)
            .map(|other| (other.path.clone(), other.text.clone()))
            .collect(),
        false => BTreeMap::new(),
    };
    Some(Hole {
        id: format!("{name}/{}:{line}:{column}:{kind}", file.path),
        language: file.language,
        kind,
        prompt: prompt.to_owned(),
        suffix: file.text.get(place.end..)?.to_owned(),
        reference: file.text.get(place)?.to_owned(),
        path: Some(file.path.clone()),
        files,
        root: (!config.inline_files).then(|| relative(&repository.root, &config.set_directory)),
    })
}

fn relative(root: &Path, set_directory: &Path) -> PathBuf {
    let base = set_directory.canonicalize().unwrap_or_else(|_| set_directory.to_owned());
    root.strip_prefix(base).unwrap_or(root).to_owned()
}

#[cfg(test)]
mod tests;
