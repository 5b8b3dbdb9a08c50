//! Between an editor's streams and the daemon's socket: bytes either way, and at the end how the session ended.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::Ended;

/// No message holds this byte (RFC 8259 has control characters escaped in JSON), so it marks the end of them.
const END: u8 = 0;

const CHUNK: usize = 1 << 16;

/// What the daemon sends after the last message.
pub(super) fn trailer(ended: Ended) -> [u8; 2] {
    [END, ended.exit_code()]
}

/// Passes bytes on until the daemon ends the session; `None` when it went away before that.
///
/// # Errors
/// If the editor takes no more.
pub async fn run<I, O, S>(input: I, mut output: O, socket: S) -> io::Result<Option<Ended>>
where
    I: AsyncRead + Unpin,
    O: AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite,
{
    let (from_daemon, to_daemon) = tokio::io::split(socket);
    let upwards = up(input, to_daemon);
    let downwards = down(from_daemon, &mut output);
    tokio::pin!(upwards, downwards);
    tokio::select! {
        ended = &mut downwards => ended,
        // The editor is done; the daemon still has its last answers.
        () = &mut upwards => downwards.await,
    }
}

async fn up<I: AsyncRead + Unpin, W: AsyncWrite + Unpin>(mut input: I, mut to_daemon: W) {
    // Either end may be gone; what the daemon makes of it is seen on the way down.
    let _ = tokio::io::copy(&mut input, &mut to_daemon).await;
    let _ = to_daemon.shutdown().await;
}

async fn down<R: AsyncRead + Unpin, O: AsyncWrite + Unpin>(
    mut from_daemon: R,
    output: &mut O,
) -> io::Result<Option<Ended>> {
    let mut chunk = vec![0; CHUNK];
    loop {
        let n_read = from_daemon.read(&mut chunk).await.unwrap_or(0);
        let bytes = chunk.get(..n_read).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(None);
        }
        let end = bytes.iter().position(|&byte| byte == END);
        output.write_all(bytes.get(..end.unwrap_or(n_read)).unwrap_or_default()).await?;
        output.flush().await?;
        if let Some(end) = end {
            let code = match bytes.get(end + 1) {
                Some(&code) => Some(code),
                None => from_daemon.read_u8().await.ok(),
            };
            return Ok(code.map(|code| Ended { after_shutdown: code == 0 }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the editor gets and how the session ended, when the daemon writes these chunks.
    async fn passed(chunks: &[&[u8]]) -> (Vec<u8>, Option<Ended>) {
        let (socket, mut daemon) = tokio::io::duplex(CHUNK);
        let mut output = Vec::new();
        let daemon = async move {
            for chunk in chunks {
                daemon.write_all(chunk).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let (ended, ()) = tokio::join!(run(tokio::io::empty(), &mut output, socket), daemon);
        (output, ended.unwrap())
    }

    #[tokio::test]
    async fn the_end_of_a_session_is_seen() {
        for after_shutdown in [true, false] {
            let ended = Ended { after_shutdown };
            let [mark, code] = trailer(ended);
            let whole = [b"{}".as_slice(), &[mark, code]].concat();
            assert_eq!(passed(&[&whole]).await, (b"{}".to_vec(), Some(ended)));
            assert_eq!(
                passed(&[b"{", b"}", &[mark], &[code]]).await,
                (b"{}".to_vec(), Some(ended))
            );
        }
    }

    #[tokio::test]
    async fn a_daemon_that_dies_ends_no_session() {
        assert_eq!(passed(&[b"{}"]).await, (b"{}".to_vec(), None));
        assert_eq!(passed(&[]).await, (Vec::new(), None));
        assert_eq!(passed(&[&[END]]).await, (Vec::new(), None));
    }
}
