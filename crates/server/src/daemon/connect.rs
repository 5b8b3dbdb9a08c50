//! The clients' side: finds the daemon, starts it where there is none, and greets it.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tokio::net::UnixStream;

use super::greeting::{self, Build, Greeting, Reply, Wish};
use super::place::{self, Place};
use super::{Error, Report};
use crate::Options;

/// How long a daemon is given to come up; it reads no weights for that.
const START: Duration = Duration::from_secs(20);
/// How long it is given to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// How often the socket of a daemon that is coming up is looked for.
const POLL: Duration = Duration::from_millis(10);
/// A daemon may end just as it is found, and another build's may take its place: so it is looked for more than once.
const N_TRIES: usize = 5;

/// A session with the daemon, which is started by `program` if none runs; a daemon of another build is retired.
///
/// `program` must lead to [`super::run`] for `place`; its streams and its working directory are set here.
///
/// # Errors
/// If there is no daemon to be had; the caller can still serve the editor itself.
pub async fn session(
    place: &Place,
    build: &Build,
    options: &Options,
    program: impl Fn() -> Command,
) -> Result<UnixStream, Error> {
    let greeting = Greeting { build: build.clone(), wish: Wish::session(options) };
    let mut why = Error::NotRunning;
    for _ in 0..N_TRIES {
        let mut stream = find_or_start(place, &program).await?;
        match converse(place, &mut stream, &greeting).await {
            Ok(Reply::Welcome) => return Ok(stream),
            Ok(Reply::OtherBuild(other)) => {
                tracing::info!(other = other.0, "a daemon of another build is asked to retire");
                retire(place, build).await?;
                why = Error::Refused(format!("it is another build ({})", other.0));
            }
            Ok(Reply::Refused(message)) => return Err(Error::Refused(message)),
            Ok(Reply::Report(_)) => return Err(Error::NotADaemon),
            Err(error) => why = error,
        }
    }
    Err(why)
}

/// What the daemon says of itself.
///
/// # Errors
/// [`Error::NotRunning`] among others.
pub async fn report(place: &Place, build: &Build) -> Result<Report, Error> {
    let mut stream = connect(&place.socket()).await?;
    let greeting = Greeting { build: build.clone(), wish: Wish::Report };
    match converse(place, &mut stream, &greeting).await? {
        Reply::Report(report) => Ok(*report),
        Reply::Refused(message) => Err(Error::Refused(message)),
        Reply::Welcome | Reply::OtherBuild(_) => Err(Error::NotADaemon),
    }
}

/// Ends the daemon and waits until it has ended.
///
/// # Errors
/// [`Error::NotRunning`] among others.
pub async fn stop(place: &Place, build: &Build) -> Result<(), Error> {
    let mut stream = connect(&place.socket()).await?;
    let greeting = Greeting { build: build.clone(), wish: Wish::Stop };
    converse(place, &mut stream, &greeting).await?;
    let ended = tokio::io::AsyncReadExt::read_u8(&mut stream);
    match tokio::time::timeout(ANSWER, ended).await {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::NoAnswer(ANSWER.as_secs(), place.log_file())),
    }
}

async fn retire(place: &Place, build: &Build) -> Result<(), Error> {
    let mut stream = match connect(&place.socket()).await {
        Err(Error::NotRunning) => return Ok(()),
        stream => stream?,
    };
    let greeting = Greeting { build: build.clone(), wish: Wish::Retire };
    match converse(place, &mut stream, &greeting).await? {
        Reply::Welcome => Ok(()),
        Reply::Refused(message) => Err(Error::Refused(message)),
        Reply::Report(_) | Reply::OtherBuild(_) => Err(Error::NotADaemon),
    }
}

async fn converse(
    place: &Place,
    stream: &mut UnixStream,
    greeting: &Greeting,
) -> Result<Reply, Error> {
    let io_error = |source| Error::Io { path: place.socket(), source };
    let exchange = async {
        greeting::send(stream, greeting).await.map_err(io_error)?;
        greeting::receive(stream).await.ok_or(Error::NotADaemon)
    };
    tokio::time::timeout(ANSWER, exchange)
        .await
        .map_err(|_| Error::NoAnswer(ANSWER.as_secs(), place.log_file()))?
}

/// [`Error::NotRunning`] where nobody listens, be it that a daemon died and left its socket behind.
async fn connect(socket: &Path) -> Result<UnixStream, Error> {
    let stream = match UnixStream::connect(socket).await {
        Ok(stream) => stream,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            return Err(Error::NotRunning);
        }
        Err(source) => return Err(Error::Io { path: socket.to_owned(), source }),
    };
    let peer =
        stream.peer_cred().map_err(|source| Error::Io { path: socket.to_owned(), source })?;
    if peer.uid() != place::user_id()? {
        return Err(Error::OtherUser { path: socket.to_owned() });
    }
    Ok(stream)
}

/// Who comes while another one starts a daemon waits for the lock, and then finds that daemon.
async fn find_or_start(place: &Place, program: &impl Fn() -> Command) -> Result<UnixStream, Error> {
    match connect(&place.socket()).await {
        Err(Error::NotRunning) => {}
        found => return found,
    }
    let locked = {
        let place = place.clone();
        tokio::task::spawn_blocking(move || place.lock()).await
    };
    let _lock = locked.map_err(|error| Error::NotStarted(io::Error::other(error)))??;
    match connect(&place.socket()).await {
        Err(Error::NotRunning) => {}
        found => return found,
    }
    let log = place.open_log()?;
    let mut child = program()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        // So that no folder is kept from being removed or unmounted.
        .current_dir("/")
        // So that the daemon outlives what the terminal of the first editor sends to that one's group.
        .process_group(0)
        .spawn()
        .map_err(Error::NotStarted)?;
    let started = Instant::now();
    while started.elapsed() < START {
        match connect(&place.socket()).await {
            Err(Error::NotRunning) => {}
            found => return found,
        }
        if let Ok(Some(status)) = child.try_wait() {
            let message =
                format!("it ended with {status}; its log is {}", place.log_file().display());
            return Err(Error::NotStarted(io::Error::other(message)));
        }
        tokio::time::sleep(POLL).await;
    }
    Err(Error::NoAnswer(START.as_secs(), place.log_file()))
}
