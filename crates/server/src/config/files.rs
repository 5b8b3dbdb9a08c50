//! The configuration files of a user and of a workspace folder.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::layers::{Layer, Problem, Source, Value};

/// Longer files are no configuration.
const MAX_BYTES: u64 = 1 << 20;

const WORKSPACE_FILE: &str = ".dacapo.toml";

/// Where the user's file is, whether it exists or not; `None` on a system without a home folder.
///
/// `variable` looks up an environment variable.
pub fn user_file(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name: &str| {
        // XDG Base Directory Specification: paths that are not absolute are to be ignored.
        variable(name).map(PathBuf::from).filter(|path| path.is_absolute())
    };
    let config = match cfg!(windows) {
        true => folder("APPDATA"),
        false => folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config"))),
    };
    Some(config?.join("dacapo").join("config.toml"))
}

/// The values of the user's file; `None` where there is none.
pub fn read_user_file(path: &Path) -> Result<Option<Layer>, Problem> {
    read(path, Source::User(path.to_owned()))
}

/// The values of a workspace folder's own file; `None` where there is none.
pub fn read_workspace_file(folder: &Path) -> Result<Option<Layer>, Problem> {
    let path = folder.join(WORKSPACE_FILE);
    read(&path, Source::Workspace(path.clone()))
}

fn read(path: &Path, source: Source) -> Result<Option<Layer>, Problem> {
    let problem = |message: String| Problem { source: source.clone(), key: String::new(), message };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(problem(format!("cannot be read: {error}"))),
    };
    // A fifo or a device would be read forever.
    match file.metadata() {
        Ok(facts) if facts.is_file() => {}
        _ => return Err(problem("is not a file; ignored".into())),
    }
    let mut text = String::new();
    if let Err(error) = file.take(MAX_BYTES + 1).read_to_string(&mut text) {
        return Err(problem(format!("cannot be read: {error}")));
    }
    if MAX_BYTES < text.len() as u64 {
        return Err(problem("is longer than 1 MB; ignored".into()));
    }
    match toml::from_str::<Value>(&text) {
        Ok(values) => Ok(Some(Layer { source, values })),
        Err(error) => Err(problem(format!("is not TOML, so all of it is ignored: {error}"))),
    }
}
