//! Where the daemon's socket, lock and log are.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use tokio::net::UnixStream;

use super::Error;

/// Longest path that fits in the address of a socket everywhere (macOS has 104 bytes, a zero at the end included).
const MAX_SOCKET_PATH: usize = 103;

/// A log that is longer begins anew when a daemon starts; the one before is kept.
const MAX_LOG: u64 = 4 << 20;

/// A folder that only the user may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    folder: PathBuf,
    log_folder: PathBuf,
}

impl Place {
    /// The runtime folder of the user, which is made if it is not there; `variable` looks up an environment variable.
    ///
    /// Must run on a tokio runtime.
    ///
    /// # Errors
    /// If the folder is another user's, or open to others.
    pub fn find(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, Error> {
        let folder =
            |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let folder_of_user = match folder("XDG_RUNTIME_DIR").filter(|path| path.is_dir()) {
            Some(runtime) => runtime.join("dacapo"),
            None => {
                let user = user_id()?;
                std::env::temp_dir().join(format!("dacapo-{user}"))
            }
        };
        let state = folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")));
        let log_folder = state.map_or_else(|| folder_of_user.clone(), |state| state.join("dacapo"));
        Self::at(folder_of_user, log_folder)
    }

    /// The same in a folder of the caller's choice.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub fn at(folder: PathBuf, log_folder: PathBuf) -> Result<Self, Error> {
        make_private(&folder)?;
        let place = Self { folder, log_folder };
        let socket = place.socket();
        if MAX_SOCKET_PATH < socket.as_os_str().len() {
            return Err(Error::PathTooLong { path: socket });
        }
        Ok(place)
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    pub fn log_file(&self) -> PathBuf {
        self.log_folder.join("daemon.log")
    }

    /// Holds the lock for as long as the file lives; waits for whoever holds it now.
    pub(super) fn lock(&self) -> Result<File, Error> {
        let path = self.folder.join("lock");
        let io_error = |source| Error::Io { path: path.clone(), source };
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(io_error)?;
        file.lock().map_err(io_error)?;
        Ok(file)
    }

    /// The log, open for writing at its end.
    pub(super) fn open_log(&self) -> Result<File, Error> {
        let path = self.log_file();
        let io_error = |source| Error::Io { path: path.clone(), source };
        fs::create_dir_all(&self.log_folder).map_err(io_error)?;
        if fs::metadata(&path).is_ok_and(|facts| MAX_LOG < facts.len()) {
            fs::rename(&path, path.with_extension("log.old")).map_err(io_error)?;
        }
        OpenOptions::new().create(true).append(true).mode(0o600).open(&path).map_err(io_error)
    }
}

/// Who runs this process: who is at the other end of a pair of sockets that it made.
pub(super) fn user_id() -> Result<u32, Error> {
    let user = UnixStream::pair().and_then(|(one, _other)| one.peer_cred());
    user.map(|user| user.uid()).map_err(Error::NoUser)
}

fn make_private(folder: &Path) -> Result<(), Error> {
    let io_error = |source| Error::Io { path: folder.to_owned(), source };
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(io_error(error)),
        _ => {}
    }
    // Not followed: in a folder that all may write to, somebody else may have put a link there.
    let facts = fs::symlink_metadata(folder).map_err(io_error)?;
    let is_mine = facts.uid() == user_id()?;
    if !facts.is_dir() || !is_mine || facts.mode() & 0o077 != 0 {
        return Err(Error::NotPrivate { path: folder.to_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[track_caller]
    fn check_refused(folder: &Path) {
        let found = Place::at(folder.to_owned(), folder.to_owned());
        assert!(matches!(found, Err(Error::NotPrivate { .. })), "{found:?}");
    }

    #[tokio::test]
    async fn the_folder_is_made_for_the_user_alone() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("dacapo");
        Place::at(folder.clone(), folder.clone()).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
        Place::at(folder.clone(), folder.clone()).unwrap();

        fs::set_permissions(&folder, fs::Permissions::from_mode(0o750)).unwrap();
        check_refused(&folder);
    }

    #[tokio::test]
    async fn a_link_or_a_file_in_its_stead_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let elsewhere = parent.path().join("elsewhere");
        DirBuilder::new().mode(0o700).create(&elsewhere).unwrap();
        let folder = parent.path().join("dacapo");
        symlink(&elsewhere, &folder).unwrap();
        check_refused(&folder);
        fs::remove_file(&folder).unwrap();
        fs::write(&folder, "").unwrap();
        check_refused(&folder);
    }

    #[tokio::test]
    async fn a_path_that_no_socket_takes_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("d".repeat(100));
        let found = Place::at(folder.clone(), folder);
        assert!(matches!(found, Err(Error::PathTooLong { .. })), "{found:?}");
    }

    #[tokio::test]
    async fn a_long_log_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place { folder: folder.path().into(), log_folder: folder.path().join("state") };
        place.open_log().unwrap();
        fs::write(place.log_file(), vec![b'x'; MAX_LOG as usize + 1]).unwrap();
        place.open_log().unwrap();
        assert_eq!(fs::metadata(place.log_file()).unwrap().len(), 0);
        assert!(folder.path().join("state/daemon.log.old").exists());
    }
}
