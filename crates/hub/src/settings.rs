//! What the environment says: where the hub is, who asks, and where models are kept.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::Error;

const ENDPOINT: &str = "https://huggingface.co";

/// How often a request is tried, and how long the first pause is; each further pause is twice as long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    pub n_attempts: u32,
    pub first_pause: Duration,
}

impl Retry {
    /// Half a minute of pauses in all.
    pub const PATIENT: Self = Self { n_attempts: 6, first_pause: Duration::from_secs(1) };
}

#[derive(Debug, Clone)]
pub struct Settings {
    /// Scheme and authority, and a path if the mirror has one; no slash at the end.
    pub endpoint: String,
    pub token: Option<Token>,
    /// Nothing may be fetched.
    pub offline: bool,
    /// Directory of all models.
    pub models: PathBuf,
    pub retry: Retry,
    /// Bytes that may still be written to the file system of an existing directory.
    pub free_space: fn(&Path) -> std::io::Result<u64>,
}

/// What proves to the hub who asks.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// `origin` is said in the error instead of the token.
    pub fn new(text: &str, origin: &str) -> Result<Self, Error> {
        match text.bytes().all(|byte| byte.is_ascii_graphic()) {
            true => Ok(Self(text.to_owned())),
            false => Err(Error::Token { origin: origin.to_owned() }),
        }
    }

    pub(crate) fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Settings {
    /// Reads the hub's usual variables (HF_ENDPOINT, HF_TOKEN, HF_TOKEN_PATH, HF_HOME, HF_HUB_OFFLINE,
    /// HF_HUB_DISABLE_IMPLICIT_TOKEN) and the place of models ([`models_directory`]).
    pub fn from_variables(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, Error> {
        let endpoint = text(&variable, "HF_ENDPOINT").unwrap_or_else(|| ENDPOINT.to_owned());
        Ok(Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            token: token(&variable)?,
            offline: is_on(&variable, "HF_HUB_OFFLINE"),
            models: models_directory(&variable)?,
            retry: Retry::PATIENT,
            free_space: |path| fs4::available_space(path),
        })
    }
}

/// `$DACAPO_MODELS`, else `$XDG_DATA_HOME/dacapo/models`, else `.local/share/dacapo/models` in the home directory.
pub fn models_directory(variable: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, Error> {
    if let Some(directory) = path(&variable, "DACAPO_MODELS") {
        return Ok(directory);
    }
    // The XDG base directory specification asks to ignore a relative path.
    let data = path(&variable, "XDG_DATA_HOME").filter(|path| path.is_absolute());
    let data = data.or_else(|| home(&variable).map(|home| home.join(".local/share")));
    Ok(data.ok_or(Error::NoHome)?.join("dacapo/models"))
}

fn token(variable: &impl Fn(&str) -> Option<OsString>) -> Result<Option<Token>, Error> {
    if is_on(variable, "HF_HUB_DISABLE_IMPLICIT_TOKEN") {
        return Ok(None);
    }
    if let Some(text) = text(variable, "HF_TOKEN") {
        return Token::new(text.trim(), "HF_TOKEN").map(Some);
    }
    let in_home = || {
        let cache = path(variable, "XDG_CACHE_HOME");
        let cache = cache.or_else(|| home(variable).map(|home| home.join(".cache")));
        let hub =
            path(variable, "HF_HOME").or_else(|| cache.map(|cache| cache.join("huggingface")));
        hub.map(|hub| hub.join("token"))
    };
    let Some(file) = path(variable, "HF_TOKEN_PATH").or_else(in_home) else { return Ok(None) };
    match std::fs::read_to_string(&file) {
        Ok(text) if text.trim().is_empty() => Ok(None),
        Ok(text) => Token::new(text.trim(), &file.display().to_string()).map(Some),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Io { path: file, source }),
    }
}

fn text(variable: &impl Fn(&str) -> Option<OsString>, name: &str) -> Option<String> {
    let value = variable(name)?.to_string_lossy().into_owned();
    (!value.trim().is_empty()).then_some(value)
}

fn path(variable: &impl Fn(&str) -> Option<OsString>, name: &str) -> Option<PathBuf> {
    variable(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn home(variable: &impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    path(variable, "HOME").or_else(|| path(variable, "USERPROFILE"))
}

/// As the hub's own clients read a switch.
fn is_on(variable: &impl Fn(&str) -> Option<OsString>, name: &str) -> bool {
    let value = text(variable, name).unwrap_or_default().to_ascii_lowercase();
    ["1", "on", "yes", "true"].contains(&value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables<'a>(set: &'a [(&str, &str)]) -> impl Fn(&str) -> Option<OsString> + 'a {
        |name| set.iter().find(|(other, _)| *other == name).map(|(_, value)| value.into())
    }

    #[track_caller]
    fn check_models(set: &[(&str, &str)], expected: Option<&str>) {
        let found = models_directory(variables(set)).ok();
        assert_eq!(found.as_deref(), expected.map(Path::new));
    }

    #[test]
    fn models_are_kept_where_the_variables_say() {
        let home = ("HOME", "/home/a");
        check_models(&[("DACAPO_MODELS", "/m"), ("XDG_DATA_HOME", "/data"), home], Some("/m"));
        check_models(&[("XDG_DATA_HOME", "/data"), home], Some("/data/dacapo/models"));
        let in_home = Some("/home/a/.local/share/dacapo/models");
        check_models(&[("XDG_DATA_HOME", "relative"), home], in_home);
        check_models(&[("DACAPO_MODELS", ""), home], in_home);
        check_models(&[], None);
    }

    #[test]
    fn the_token_comes_from_the_variable_or_a_file_and_is_never_shown() {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().to_str().unwrap();
        std::fs::create_dir_all(directory.path().join(".cache/huggingface")).unwrap();
        std::fs::write(directory.path().join(".cache/huggingface/token"), "of-home\n").unwrap();
        let file = directory.path().join("secret");
        std::fs::write(&file, " of-file\n").unwrap();
        let home = ("HOME", home);
        let file = ("HF_TOKEN_PATH", file.to_str().unwrap());
        let token = |set: &[(&str, &str)]| {
            let settings = Settings::from_variables(variables(set)).unwrap();
            assert!(!format!("{settings:?}").contains("of-"), "{settings:?}");
            settings.token.map(|token| token.header())
        };
        let off = ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1");
        assert_eq!(token(&[("HF_TOKEN", "of-var"), file, home]).unwrap(), "Bearer of-var");
        assert_eq!(token(&[file, home]).unwrap(), "Bearer of-file");
        assert_eq!(token(&[home]).unwrap(), "Bearer of-home");
        assert_eq!(token(&[("HF_TOKEN", "of-var"), home, off]), None);
        assert_eq!(token(&[("HF_TOKEN_PATH", "/nonexistent/token"), home]), None);
        let bad = Settings::from_variables(variables(&[("HF_TOKEN", "a\nsecret"), home]));
        let said = bad.unwrap_err().to_string();
        assert!(said.contains("HF_TOKEN") && !said.contains("secret"), "{said}");
    }

    #[test]
    fn a_mirror_and_the_offline_switch_are_heard() {
        let home = ("HOME", "/nonexistent");
        let read = |set: &[(&str, &str)]| Settings::from_variables(variables(set)).unwrap();
        assert_eq!(read(&[home]).endpoint, ENDPOINT);
        assert_eq!(read(&[home, ("HF_ENDPOINT", "http://m:1/x/")]).endpoint, "http://m:1/x");
        for (value, offline) in [("1", true), ("Yes", true), ("0", false), ("", false)] {
            assert_eq!(read(&[home, ("HF_HUB_OFFLINE", value)]).offline, offline, "{value:?}");
        }
    }
}
