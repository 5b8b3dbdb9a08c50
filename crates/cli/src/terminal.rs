//! Printing for people and for scripts.

use std::io::{IsTerminal, Write};

use anyhow::Result;
use serde::Serialize;

/// One JSON object, alone on stdout.
pub(crate) fn print_json(value: &impl Serialize) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    serde_json::to_writer(&mut stdout, value)?;
    writeln!(stdout)?;
    Ok(())
}

/// Text in a colour when stdout is a terminal, plain otherwise.
pub(crate) fn highlighted(text: &str) -> String {
    styled(text, "32")
}

/// Text in the background when stdout is a terminal, plain otherwise.
pub(crate) fn dimmed(text: &str) -> String {
    styled(text, "2")
}

fn styled(text: &str, code: &str) -> String {
    let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    match colour {
        // Each line of its own, so that a pager or a wrapped line keeps the style.
        true => text
            .split('\n')
            .map(|line| format!("\u{1b}[{code}m{line}\u{1b}[0m"))
            .collect::<Vec<_>>()
            .join("\n"),
        false => text.to_owned(),
    }
}

/// Milliseconds with a microsecond's precision.
pub(crate) fn milliseconds(duration: std::time::Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// Bytes in decimal units, as disks and hubs count them.
pub(crate) fn size(n_bytes: u64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1000, "kB")];
    match units.into_iter().find(|(unit, _)| *unit <= n_bytes) {
        Some((unit, name)) => format!("{:.1} {name}", n_bytes as f64 / unit as f64),
        None => format!("{n_bytes} B"),
    }
}
