//! Frames of the base protocol: headers, an empty line, a body (LSP 3.17, "Base Protocol").
//!
//! The framework's own codec ends the stream at the first malformed body, so frames are read and written here.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

/// Larger bodies are read past and refused; editors send far less than the 50 MB files this leaves room for.
const MAX_BODY: u64 = 1 << 29;
/// Longest header line that is looked at whole; of a longer one only the end is.
const MAX_LINE: usize = 4096;
const LENGTH_NAME: &[u8] = b"content-length:";

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    Body(Vec<u8>),
    /// Headers without a usable length, or a body above the limit.
    Malformed,
}

#[derive(Debug)]
pub(crate) struct FrameReader<R> {
    input: BufReader<R>,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input: BufReader::new(input) }
    }

    /// The next frame; `None` at the end of the input, even within a frame.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        let mut length = None;
        let mut n_lines = 0_usize;
        loop {
            let line = self.line().await?;
            if !line.is_empty() {
                n_lines += 1;
                length = content_length(&line).or(length);
                continue;
            }
            match length {
                Some(length) if length <= MAX_BODY => {
                    return self.body(length).await.map(Frame::Body);
                }
                Some(length) => {
                    let mut rest = (&mut self.input).take(length);
                    tokio::io::copy(&mut rest, &mut tokio::io::sink()).await.ok()?;
                    return Some(Frame::Malformed);
                }
                None if 0 < n_lines => return Some(Frame::Malformed),
                None => {}
            }
        }
    }

    /// A line without its terminator, or the end of it when it is longer than [`MAX_LINE`].
    async fn line(&mut self) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        loop {
            let chunk = self.input.fill_buf().await.ok()?;
            if chunk.is_empty() {
                return None;
            }
            let newline = chunk.iter().position(|&byte| byte == b'\n');
            let n_taken = newline.map_or(chunk.len(), |at| at + 1);
            line.extend_from_slice(chunk.get(..n_taken).unwrap_or_default());
            self.input.consume(n_taken);
            if newline.is_some() {
                line.pop();
                line.pop_if(|byte| *byte == b'\r');
                return Some(line);
            }
            if MAX_LINE < line.len() {
                line.drain(..line.len() - MAX_LINE / 2);
            }
        }
    }

    /// Grows with what arrives, so that a length that lies reserves nothing.
    async fn body(&mut self, length: u64) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        (&mut self.input).take(length).read_to_end(&mut body).await.ok()?;
        match body.len() as u64 == length {
            true => Some(body),
            false => None,
        }
    }
}

/// The length a header line gives.
///
/// The name may stand anywhere in the line: after a body whose length was not known, the next header follows without a line break.
fn content_length(line: &[u8]) -> Option<u64> {
    let at = line
        .windows(LENGTH_NAME.len())
        .rposition(|window| window.eq_ignore_ascii_case(LENGTH_NAME))?;
    let value = line.get(at + LENGTH_NAME.len()..)?;
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

/// Writes one frame and flushes it.
pub(crate) async fn write<W: AsyncWrite + Unpin>(output: &mut W, body: &[u8]) -> io::Result<()> {
    output.write_all(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes()).await?;
    output.write_all(body).await?;
    output.flush().await
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_all(input: &[u8]) -> Vec<Frame> {
        futures::executor::block_on(async {
            let mut reader = FrameReader::new(input);
            let mut frames = Vec::new();
            while let Some(frame) = reader.next().await {
                frames.push(frame);
            }
            frames
        })
    }

    #[track_caller]
    fn check(input: &str, expected: &[&str]) {
        let found: Vec<String> = read_all(input.as_bytes())
            .into_iter()
            .map(|frame| match frame {
                Frame::Body(body) => String::from_utf8(body).unwrap(),
                Frame::Malformed => "malformed".into(),
            })
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn reads_frames_with_any_headers() {
        check(
            "Content-Length: 2\r\n\r\n{}content-length:3\r\nContent-Type: x\r\n\r\nabc",
            &["{}", "abc"],
        );
    }

    #[test]
    fn an_empty_body_is_a_frame() {
        check("Content-Length: 0\r\n\r\n", &[""]);
    }

    #[test]
    fn goes_on_after_headers_without_a_length() {
        check("Content-Type: x\r\n\r\n{\"a\":1}Content-Length: 2\r\n\r\n{}", &["malformed", "{}"]);
        check("Content-Length: many\r\n\r\nContent-Length: 2\r\n\r\n{}", &["malformed", "{}"]);
        check("Content-Length: -1\r\n\r\nContent-Length: 2\r\n\r\n{}", &["malformed", "{}"]);
    }

    #[test]
    fn finds_a_header_behind_a_long_line_of_rubbish() {
        check(&format!("{}Content-Length: 2\r\n\r\n{{}}", "x".repeat(100_000)), &["{}"]);
    }

    #[test]
    fn input_that_ends_within_a_frame_ends_the_stream() {
        check("Content-Length: 9\r\n\r\n{}", &[]);
        check("Content-Length: 99999999999999\r\n\r\n{}", &["malformed"]);
        check("Content-Le", &[]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_whatever_the_chunks(bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..8), chunk in 1_usize..64) {
            let found = futures::executor::block_on(async {
                let (mut near, far) = tokio::io::duplex(chunk);
                let written = async {
                    for body in &bodies {
                        write(&mut near, body).await.unwrap();
                    }
                    drop(near);
                };
                let read = async {
                    let mut reader = FrameReader::new(far);
                    let mut frames = Vec::new();
                    while let Some(frame) = reader.next().await {
                        frames.push(frame);
                    }
                    frames
                };
                futures::join!(written, read).1
            });
            prop_assert_eq!(found, bodies.into_iter().map(Frame::Body).collect::<Vec<_>>());
        }

        #[test]
        fn what_comes_after_rubbish_is_read(mut rubbish in prop::collection::vec(any::<u8>(), 0..400)) {
            rubbish.extend(b"\r\n\r\nContent-Length: 2\r\n\r\n{}");
            prop_assert_eq!(read_all(&rubbish).pop(), Some(Frame::Body(b"{}".to_vec())));
        }
    }
}
