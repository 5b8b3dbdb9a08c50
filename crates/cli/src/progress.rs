//! One line on stderr that changes, where stderr is a terminal.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Often enough to look alive.
const REDRAW: Duration = Duration::from_millis(100);

/// In characters.
const BAR: usize = 30;

/// A bar for work of a known length, with the time that is left; cleared when dropped.
#[derive(Debug)]
pub(crate) struct Bar {
    n_total: usize,
    what: &'static str,
    started: Instant,
    drawn: Option<Instant>,
}

impl Bar {
    /// `what` is counted, in the plural.
    pub(crate) fn new(n_total: usize, what: &'static str) -> Self {
        Self { n_total, what, started: Instant::now(), drawn: None }
    }

    pub(crate) fn show(&mut self, n_done: usize) {
        let is_due = self.drawn.is_none_or(|drawn| REDRAW <= drawn.elapsed());
        if !is_due || !std::io::stderr().is_terminal() {
            return;
        }
        let elapsed = self.started.elapsed();
        let left = elapsed.as_secs_f64() / n_done.max(1) as f64
            * self.n_total.saturating_sub(n_done) as f64;
        let filled = (BAR * n_done.min(self.n_total)).checked_div(self.n_total).unwrap_or(BAR);
        let (Self { n_total, what, .. }, bar) = (&*self, "#".repeat(filled));
        let left = if n_done == 0 { String::new() } else { format!(", {left:.0} s left") };
        write(&format!("\r\u{1b}[K[{bar:<BAR$}] {n_done} of {n_total} {what}{left}"));
        self.drawn = Some(Instant::now());
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            write("\r\u{1b}[K");
        }
    }
}

/// A closed stderr is no reason to stop.
fn write(text: &str) {
    let mut stderr = std::io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}
