//! The daemon's side: accepts clients until nobody needs it any more.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::greeting::{self, Build, Greeting, Reply, Wish};
use super::place::{self, Place};
use super::report::{Report, memory_bytes};
use super::{Error, pipe};
use crate::{Host, Options};

/// How long a client is given for its greeting.
const GREETING: Duration = Duration::from_secs(5);

/// What a daemon needs to run.
#[derive(Debug)]
pub struct Service {
    pub place: Place,
    pub build: Build,
    pub host: Arc<Host>,
    /// Ends the daemon this long after its last client left.
    pub exit_after: Duration,
}

#[derive(Debug)]
struct State {
    service: Service,
    started: Instant,
    retiring: AtomicBool,
    stopping: AtomicBool,
    /// A session has ended, or one of the two above was raised.
    changed: Notify,
}

/// Serves until it is stopped, retired and alone, or alone for long enough.
///
/// # Errors
/// If the socket cannot be made.
pub async fn run(service: Service) -> Result<(), Error> {
    let socket = service.place.socket();
    let listener = bind(&socket)?;
    let inode = inode(&socket);
    tracing::info!(socket = %socket.display(), build = service.build.0, "daemon started");
    let state = Arc::new(State {
        service,
        started: Instant::now(),
        retiring: AtomicBool::new(false),
        stopping: AtomicBool::new(false),
        changed: Notify::new(),
    });
    let mut clients = JoinSet::new();
    let mut alone_since = Instant::now();
    loop {
        let n_sessions = state.service.host.figures.n_sessions();
        if 0 < n_sessions {
            alone_since = Instant::now();
        }
        let retiring = state.retiring.load(Ordering::Acquire);
        if state.stopping.load(Ordering::Acquire) || (retiring && n_sessions == 0) {
            break;
        }
        let left = state.service.exit_after.saturating_sub(alone_since.elapsed());
        tokio::select! {
            accepted = listener.accept(), if !retiring => match accepted {
                Ok((stream, _)) => {
                    let state = Arc::clone(&state);
                    clients.spawn(async move {
                        attend(&state, stream).await;
                        state.changed.notify_one();
                    });
                }
                Err(error) => {
                    // Out of file descriptors, for instance: that passes.
                    tracing::warn!(%error, "a client was not accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            () = state.changed.notified() => {}
            Some(_) = clients.join_next(), if !clients.is_empty() => {}
            () = tokio::time::sleep(left), if n_sessions == 0 => break,
        }
        if state.retiring.load(Ordering::Acquire) && !retiring {
            remove_own(&socket, inode);
        }
    }
    remove_own(&socket, inode);
    clients.shutdown().await;
    tracing::info!("daemon ended");
    Ok(())
}

/// Listens at `socket`, in place of whatever is there: who starts a daemon has made sure that nobody listens.
fn bind(socket: &Path) -> Result<UnixListener, Error> {
    let io_error = |source| Error::Io { path: socket.to_owned(), source };
    let new = socket.with_extension(std::process::id().to_string());
    match fs::remove_file(&new) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io_error(error)),
        _ => {}
    }
    let listener = UnixListener::bind(&new).map_err(io_error)?;
    fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).map_err(io_error)?;
    fs::rename(&new, socket).map_err(io_error)?;
    Ok(listener)
}

fn inode(socket: &Path) -> Option<u64> {
    fs::symlink_metadata(socket).ok().map(|facts| facts.ino())
}

/// Removes the socket unless it is another daemon's by now.
fn remove_own(socket: &Path, own: Option<u64>) {
    if own.is_some() && inode(socket) == own {
        let _ = fs::remove_file(socket);
    }
}

async fn attend(state: &State, mut stream: UnixStream) {
    let user = place::user_id();
    match stream.peer_cred() {
        Ok(peer) if user.is_ok_and(|user| user == peer.uid()) => {}
        peer => {
            tracing::warn!(?peer, "a client of another user was turned away");
            return;
        }
    }
    let greeting = tokio::time::timeout(GREETING, greeting::receive::<Greeting, _>(&mut stream));
    let Ok(Some(greeting)) = greeting.await else {
        let why = "the first line is no greeting of dacapo".to_owned();
        let _ = greeting::send(&mut stream, &Reply::Refused(why)).await;
        return;
    };
    match greeting.wish {
        Wish::Session { .. } if greeting.build != state.service.build => {
            let own = state.service.build.clone();
            let _ = greeting::send(&mut stream, &Reply::OtherBuild(own)).await;
        }
        Wish::Session { user_file, command_line } => {
            if greeting::send(&mut stream, &Reply::Welcome).await.is_ok() {
                serve(state, stream, Options { user_file, command_line }).await;
            }
        }
        Wish::Report => {
            let report = Box::new(report(state));
            let _ = greeting::send(&mut stream, &Reply::Report(report)).await;
        }
        Wish::Retire => {
            tracing::info!(by = greeting.build.0, "retiring");
            state.retiring.store(true, Ordering::Release);
            state.changed.notify_one();
            let _ = greeting::send(&mut stream, &Reply::Welcome).await;
        }
        Wish::Stop => {
            let _ = greeting::send(&mut stream, &Reply::Welcome).await;
            state.stopping.store(true, Ordering::Release);
            state.changed.notify_one();
            // The client sees the daemon's end by that of the connection.
            std::future::pending::<()>().await;
        }
    }
}

async fn serve(state: &State, stream: UnixStream, options: Options) {
    let (input, mut output) = stream.into_split();
    let host = Arc::clone(&state.service.host);
    match crate::serve(input, &mut output, host, options).await {
        Ok(ended) => {
            let _ = output.write_all(&pipe::trailer(ended)).await;
            let _ = output.shutdown().await;
        }
        Err(error) => tracing::error!(%error, "a session could not be started"),
    }
}

fn report(state: &State) -> Report {
    let host = &state.service.host;
    Report {
        process_id: std::process::id(),
        build: state.service.build.clone(),
        uptime_seconds: state.started.elapsed().as_secs(),
        socket: state.service.place.socket(),
        log_file: state.service.place.log_file(),
        memory_bytes: memory_bytes(),
        models: Report::of_models(host),
        indexes: host.indexes.reports(),
        sessions: host.figures.sessions(),
        requests: host.figures.n_requests(),
        latency: host.figures.latency(),
    }
}
