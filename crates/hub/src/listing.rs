//! What a repository holds at one commit, and which of it a model needs.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use ureq::Body;
use ureq::http::Response;

use crate::digest::Digest;
use crate::error::Error;
use crate::repository::{Repository, encode_revision, is_plain, stays_inside};
use crate::retry::retried;
use crate::settings::Retry;
use crate::transport::{Failure, Transport};

/// Files beside the weights that a loader may read, and what people need to know of a model.
const NAMES: &[&str] = &[
    "LICENSE",
    "LICENSE.md",
    "LICENSE.txt",
    "README.md",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "config.json",
    "generation_config.json",
    "merges.txt",
    "model.safetensors.index.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
];
/// Far above any answer about a repository.
const MAX_ANSWER_BYTES: u64 = 16 << 20;
const MAX_PAGES: usize = 100;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RemoteFile {
    pub(crate) name: String,
    pub(crate) n_bytes: u64,
    pub(crate) digest: Digest,
}

#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) commit: String,
    /// Small files first, so that what is wrong with them shows before hours of weights.
    pub(crate) files: Vec<RemoteFile>,
}

#[derive(Deserialize)]
struct Revision {
    sha: String,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    oid: Option<String>,
    size: Option<u64>,
    lfs: Option<LargeFile>,
}

#[derive(Deserialize)]
struct LargeFile {
    oid: String,
    size: u64,
}

impl Listing {
    /// Asks the hub which commit `revision` is, and what that commit holds.
    pub(crate) fn fetch(
        transport: &Transport,
        retry: Retry,
        repository: &Repository,
        revision: &str,
        on_retry: &mut dyn FnMut(&str),
    ) -> Result<Self, Error> {
        let asking = Asking { transport, repository, revision };
        let api = format!("{}/api/models/{repository}", transport.endpoint());
        let url = format!("{api}/revision/{}", encode_revision(revision)?);
        let (found, _): (Revision, _) = retried(retry, &url, on_retry, || asking.json(&url))?;
        let commit = found.sha;
        if !is_plain(&commit) {
            return Err(asking.unreadable("the commit has no name"));
        }
        let mut entries: Vec<Entry> = Vec::new();
        let mut next = Some(format!("{api}/tree/{commit}"));
        for _ in 0..MAX_PAGES {
            let Some(url) = next.take() else { break };
            let (page, following): (Vec<Entry>, _) =
                retried(retry, &url, on_retry, || asking.json(&url))?;
            entries.extend(page);
            next = following;
        }
        if next.is_some() {
            return Err(asking.unreadable("its list of files has no end"));
        }
        let files = wanted(entries).map_err(|problem| problem.of(repository))?;
        Ok(Self { commit, files })
    }
}

struct Asking<'a> {
    transport: &'a Transport,
    repository: &'a Repository,
    revision: &'a str,
}

impl Asking<'_> {
    /// A parsed answer, and the address of the next page.
    fn json<T: DeserializeOwned>(&self, url: &str) -> Result<(T, Option<String>), Failure> {
        let mut response = self.transport.get(url, None)?;
        check_status(self.transport, self.repository, self.revision, None, &response)?;
        let next = match next_page(&response) {
            Some(next) if self.transport.is_own(&next) => Some(next),
            Some(_) => return Err(self.unreadable("its next page is on another host").into()),
            None => None,
        };
        let body = response.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec();
        let body = body.map_err(|error| Failure::Passing(error.to_string()))?;
        match serde_json::from_slice(&body) {
            Ok(value) => Ok((value, next)),
            Err(error) => Err(self.unreadable(&error.to_string()).into()),
        }
    }

    fn unreadable(&self, reason: &str) -> Error {
        Error::Listing { repository: self.repository.to_string(), reason: reason.to_owned() }
    }
}

/// What a refusal means, for the repository or for a `file` of it.
pub(crate) fn check_status(
    transport: &Transport,
    repository: &Repository,
    revision: &str,
    file: Option<&str>,
    response: &Response<Body>,
) -> Result<(), Error> {
    match response.status().as_u16() {
        status @ (401 | 403) => Err(Error::Denied {
            repository: repository.to_string(),
            page: format!("{}/{repository}", transport.endpoint()),
            status,
            has_token: transport.has_token(),
        }),
        404 => {
            let file = file.map(|file| format!(" with a file {file}")).unwrap_or_default();
            Err(Error::NotFound {
                what: format!("model {repository} at revision {revision}{file}"),
            })
        }
        _ => Ok(()),
    }
}

/// `Link: <address>; rel="next"` (RFC 8288).
fn next_page(response: &Response<Body>) -> Option<String> {
    let links = response.headers().get("link")?.to_str().ok()?;
    let next = links.split(',').find(|link| link.contains("rel=\"next\""))?;
    Some(next.split_once('<')?.1.split_once('>')?.0.to_owned())
}

#[derive(Debug, PartialEq, Eq)]
enum Problem {
    UnsafeName(String),
    Missing(&'static str),
    NoHash(String),
}

impl Problem {
    fn of(self, repository: &Repository) -> Error {
        let repository = repository.to_string();
        match self {
            Self::UnsafeName(name) => Error::UnsafeName { name },
            Self::Missing(missing) => Error::NotAModel { repository, missing },
            Self::NoHash(name) => {
                Error::Listing { repository, reason: format!("{name} has no length or hash") }
            }
        }
    }
}

fn wanted(entries: Vec<Entry>) -> Result<Vec<RemoteFile>, Problem> {
    let mut files = Vec::new();
    for entry in entries {
        if !stays_inside(&entry.path) {
            return Err(Problem::UnsafeName(entry.path));
        }
        if entry.kind == "file" && is_wanted(&entry.path) {
            files.push(remote_file(entry)?);
        }
    }
    files.sort_by(|one: &RemoteFile, other| {
        (is_weights(&one.name), &one.name).cmp(&(is_weights(&other.name), &other.name))
    });
    files.dedup_by(|one, other| one.name == other.name);
    if !files.iter().any(|file| file.name == "config.json") {
        return Err(Problem::Missing("config.json"));
    }
    if !files.iter().any(|file| is_weights(&file.name)) {
        return Err(Problem::Missing("weights in safetensors (model.safetensors or shards of it)"));
    }
    Ok(files)
}

fn is_wanted(name: &str) -> bool {
    is_plain(name) && (NAMES.contains(&name) || is_weights(name))
}

/// `model.safetensors` or a shard such as `model-00001-of-00003.safetensors`; other safetensors hold the same again or adapters.
fn is_weights(name: &str) -> bool {
    let middle = name.strip_prefix("model").and_then(|rest| rest.strip_suffix(".safetensors"));
    middle.is_some_and(|middle| middle.is_empty() || middle.starts_with('-'))
}

fn remote_file(entry: Entry) -> Result<RemoteFile, Problem> {
    let is_hash =
        |hash: &String, len| hash.len() == len && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    let name = entry.path;
    let found = match (entry.lfs, entry.oid, entry.size) {
        // The hub writes the hash of a large file with its kind before it, or without.
        (Some(large), _, _) => {
            let hash = large.oid.trim_start_matches("sha256:").to_ascii_lowercase();
            is_hash(&hash, 64).then_some((large.size, Digest::Sha256(hash)))
        }
        (None, Some(oid), Some(size)) => {
            let hash = oid.to_ascii_lowercase();
            is_hash(&hash, 40).then_some((size, Digest::GitBlob(hash)))
        }
        _ => None,
    };
    match found {
        Some((n_bytes, digest)) => Ok(RemoteFile { name, n_bytes, digest }),
        None => Err(Problem::NoHash(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str) -> Entry {
        let oid = Some("e69de29bb2d1d6434b8b29ae775ad8c2e48c5391".to_owned());
        Entry { kind: "file".to_owned(), path: path.to_owned(), oid, size: Some(0), lfs: None }
    }

    fn names(paths: &[&str]) -> Result<Vec<String>, Problem> {
        let files = wanted(paths.iter().map(|path| entry(path)).collect())?;
        Ok(files.into_iter().map(|file| file.name).collect())
    }

    #[test]
    fn a_model_is_what_a_loader_reads() {
        let paths = [
            "model-00002-of-00002.safetensors",
            "model-00001-of-00002.safetensors",
            "model.safetensors.index.json",
            "config.json",
            "tokenizer.json",
            "consolidated.safetensors",
            "pytorch_model.bin",
            "onnx/model.onnx",
            "sub/config.json",
            "modeling_plt.py",
            ".gitattributes",
        ];
        let expected = [
            "config.json",
            "model.safetensors.index.json",
            "tokenizer.json",
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
        ];
        assert_eq!(names(&paths).unwrap(), expected);
    }

    #[test]
    fn what_is_no_model_is_told() {
        assert_eq!(names(&["model.safetensors"]), Err(Problem::Missing("config.json")));
        let missing = names(&["config.json", "adapter_model.safetensors"]).unwrap_err();
        assert!(matches!(missing, Problem::Missing(what) if what.contains("safetensors")));
        let hostile = "../../.bashrc";
        let unsafe_name = names(&["config.json", hostile, "model.safetensors"]);
        assert_eq!(unsafe_name, Err(Problem::UnsafeName(hostile.to_owned())));
    }

    #[test]
    fn a_file_without_a_hash_is_not_trusted() {
        for oid in [None, Some("12".to_owned()), Some("../".repeat(20))] {
            let file = remote_file(Entry { oid, ..entry("config.json") });
            assert_eq!(file, Err(Problem::NoHash("config.json".to_owned())));
        }
        let lfs = Some(LargeFile { oid: format!("sha256:{}", "A".repeat(64)), size: 9 });
        let file = remote_file(Entry { lfs, ..entry("model.safetensors") }).unwrap();
        assert_eq!((file.n_bytes, file.digest), (9, Digest::Sha256("a".repeat(64))));
    }
}
