//! The line that a client says first, and the line that answers it.

use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::Options;
use crate::daemon::Report;

/// Longest line of either side, in bytes.
const MAX_LINE: usize = 1 << 16;

/// Which program this is: two with different builds do not share a daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build(pub String);

impl Build {
    /// The version, and what tells one build of a version from the next: length and age of the program's file.
    pub fn of_this_program() -> Self {
        let facts = std::env::current_exe().and_then(std::fs::metadata).ok();
        let age = facts.as_ref().and_then(|facts| facts.modified().ok());
        let age = age.and_then(|age| age.duration_since(std::time::UNIX_EPOCH).ok());
        let length = facts.map_or(0, |facts| facts.len());
        let version = env!("CARGO_PKG_VERSION");
        Self(format!("{version}-{length:x}-{:x}", age.map_or(0, |age| age.as_nanos())))
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Greeting {
    pub build: Build,
    pub wish: Wish,
}

/// What a client wants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Wish {
    /// To speak the Language Server Protocol from here on.
    #[serde(rename_all = "camelCase")]
    Session {
        user_file: Option<PathBuf>,
        command_line: serde_json::Value,
    },
    Report,
    /// The daemon takes nobody new and ends after its last session.
    Retire,
    /// The daemon ends all sessions and itself.
    Stop,
}

impl Wish {
    pub fn session(options: &Options) -> Self {
        Self::Session {
            user_file: options.user_file.clone(),
            command_line: options.command_line.clone(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reply {
    Welcome,
    Report(Box<Report>),
    /// For a session the client's build has to be this one.
    OtherBuild(Build),
    Refused(String),
}

pub(super) async fn send<T: Serialize, W: AsyncWrite + Unpin>(
    output: &mut W,
    message: &T,
) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    output.write_all(&line).await?;
    output.flush().await
}

/// `None` at the end of the input and for a line that is no such message.
///
/// Reads byte by byte, because what follows the line is not ours to read.
pub(super) async fn receive<T: DeserializeOwned, R: AsyncRead + Unpin>(input: &mut R) -> Option<T> {
    let mut line = Vec::new();
    loop {
        let byte = input.read_u8().await.ok()?;
        match byte {
            b'\n' => return serde_json::from_slice(&line).ok(),
            _ if line.len() == MAX_LINE => return None,
            _ => line.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &str, expected: Option<Greeting>) {
        let found = futures::executor::block_on(receive(&mut input.as_bytes()));
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_no_greeting_is_none() {
        let greeting = Greeting { build: Build("1".into()), wish: Wish::Retire };
        check("{\"build\":\"1\",\"wish\":\"retire\"}\nContent-Length: 2", Some(greeting));
        check("{\"build\":\"1\",\"wish\":\"retire\"}", None);
        check("{\"build\":\"1\",\"wish\":\"dance\"}\n", None);
        check("Content-Length: 3\r\n\r\n{}\n", None);
        check("", None);
        check(&"x".repeat(2 * MAX_LINE), None);
    }

    #[test]
    fn what_is_sent_is_received() {
        let options =
            Options { user_file: Some("/f".into()), command_line: serde_json::json!({"a": [1]}) };
        let greeting = Greeting { build: Build::of_this_program(), wish: Wish::session(&options) };
        let mut line = Vec::new();
        futures::executor::block_on(send(&mut line, &greeting)).unwrap();
        check(std::str::from_utf8(&line).unwrap(), Some(greeting));
    }
}
