//! One file from the hub to its place: goes on where a break left it, and trusts nothing that it did not count and hash.

use std::io::Read;
use std::path::Path;

use ureq::Body;
use ureq::http::{Response, header};

use crate::error::Error;
use crate::listing::check_status;
use crate::manifest::{Expected, part};
use crate::partial::Partial;
use crate::repository::Repository;
use crate::retry::Patience;
use crate::settings::Retry;
use crate::transport::{Failure, Transport};

const CHUNK: usize = 1 << 17;
/// A try that brings less than this counts as failed like the one before it, so that a server cannot drip for ever.
const WORTH_HAVING: u64 = 1 << 20;

pub(crate) struct Source<'a> {
    pub(crate) transport: &'a Transport,
    pub(crate) retry: Retry,
    pub(crate) repository: &'a Repository,
    pub(crate) commit: &'a str,
}

/// What a download tells while it runs.
pub(crate) enum Step<'a> {
    /// So many bytes of the file are on disk.
    At(u64),
    Retrying(&'a str),
}

impl Source<'_> {
    /// Leaves either the whole file in its place, or what came of it under its name with `.part`; never damaged bytes.
    pub(crate) fn download(
        &self,
        expected: &Expected,
        directory: &Path,
        report: &mut dyn FnMut(Step),
    ) -> Result<(), Error> {
        let result = self.fetch(expected, directory, report);
        if let Err(Error::Length { .. } | Error::Digest { .. }) = &result {
            let part = part(&directory.join(&expected.name));
            std::fs::remove_file(&part).map_err(Error::io(&part))?;
        }
        result
    }

    fn fetch(
        &self,
        expected: &Expected,
        directory: &Path,
        report: &mut dyn FnMut(Step),
    ) -> Result<(), Error> {
        let url = format!(
            "{}/{}/resolve/{}/{}",
            self.transport.endpoint(),
            self.repository,
            self.commit,
            expected.name
        );
        let mut partial = Partial::open(expected, directory)?;
        report(Step::At(partial.n_bytes()));
        let mut patience = Patience::new(self.retry);
        while !partial.is_whole() {
            let start = partial.n_bytes();
            match self.fetch_rest(&url, expected, &mut partial, report) {
                Ok(()) => {}
                Err(Failure::Lasting(error)) => return Err(error),
                Err(Failure::Passing(reason)) => {
                    if start.saturating_add(WORTH_HAVING) <= partial.n_bytes() {
                        patience.restore();
                    }
                    patience.wait(&url, reason, |reason| report(Step::Retrying(reason)))?;
                }
            }
        }
        partial.finish()
    }

    /// One request for the bytes that are missing.
    fn fetch_rest(
        &self,
        url: &str,
        expected: &Expected,
        partial: &mut Partial,
        report: &mut dyn FnMut(Step),
    ) -> Result<(), Failure> {
        let start = partial.n_bytes();
        let mut response = self.transport.get(url, (0 < start).then_some(start))?;
        check_status(
            self.transport,
            self.repository,
            self.commit,
            Some(&expected.name),
            &response,
        )?;
        match response.status().as_u16() {
            206 if content_range(&response).is_some_and(|range| range.start == start) => {}
            // The whole file from its beginning, whatever was asked for.
            200 => partial.restart()?,
            status => {
                partial.restart()?;
                let reason = format!("status {status} does not continue at byte {start}");
                return Err(Failure::Passing(reason));
            }
        }
        check_announced(expected, partial.n_bytes(), &response)?;
        let mut body = response.body_mut().with_config().limit(u64::MAX).reader();
        let mut chunk = vec![0; CHUNK];
        loop {
            let n_read =
                body.read(&mut chunk).map_err(|error| Failure::Passing(error.to_string()))?;
            let Some(bytes) = chunk.get(..n_read).filter(|bytes| !bytes.is_empty()) else { break };
            partial.write(bytes)?;
            report(Step::At(partial.n_bytes()));
        }
        match partial.is_whole() {
            true => Ok(()),
            false => Err(Failure::Passing("the answer ended early".to_owned())),
        }
    }
}

struct ContentRange {
    start: u64,
    /// Length of the whole file, where the server says it.
    total: Option<u64>,
}

/// `bytes 5-9/10`, RFC 9110, section 14.4.
fn content_range(response: &Response<Body>) -> Option<ContentRange> {
    let text = response.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (start, _) = range.split_once('-')?;
    Some(ContentRange { start: start.trim().parse().ok()?, total: total.trim().parse().ok() })
}

/// Compares the lengths that the answer announces with the one that the hub listed.
fn check_announced(
    expected: &Expected,
    start: u64,
    response: &Response<Body>,
) -> Result<(), Error> {
    let total = content_range(response).and_then(|range| range.total);
    let rest = response.body().content_length().map(|rest| start.saturating_add(rest));
    let file = || expected.name.clone();
    match total.into_iter().chain(rest).find(|found| *found != expected.n_bytes) {
        Some(found) => Err(Error::Length { file: file(), expected: expected.n_bytes, found }),
        None => Ok(()),
    }
}
