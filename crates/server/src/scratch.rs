//! Texts to look at in the editor, as files of the session's own that go when it does.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tempfile::TempDir;

/// A folder that only the user may look into, made when it is first needed; nothing of it is left behind the session.
#[derive(Debug, Default)]
pub(crate) struct Scratch(Mutex<Option<TempDir>>);

impl Scratch {
    /// The path of a file of this name that holds `text`.
    pub(crate) fn write(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        let mut folder = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = match &mut *folder {
            Some(folder) => folder,
            none => none.insert(new_folder()?),
        };
        let path = folder.path().join(name);
        fs::write(&path, text)?;
        Ok(path)
    }
}

/// In the runtime folder where there is one, since that is in memory alone (XDG Base Directory Specification).
fn new_folder() -> io::Result<TempDir> {
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let parent = runtime.filter(|path| path.is_absolute() && path.is_dir());
    let parent = parent.as_deref().map_or_else(env::temp_dir, Path::to_owned);
    let mut builder = tempfile::Builder::new();
    builder.prefix("dacapo-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o700));
    }
    builder.tempdir_in(parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_go_with_their_session_and_are_nobody_elses() {
        let scratch = Scratch::default();
        let first = scratch.write("a.md", "one").unwrap();
        let second = scratch.write("b.md", "two").unwrap();
        assert_eq!(fs::read_to_string(&first).unwrap(), "one");
        assert_eq!(first.parent(), second.parent());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(first.parent().unwrap()).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700);
        }
        drop(scratch);
        assert!(!second.exists() && !first.parent().unwrap().exists());
    }
}
