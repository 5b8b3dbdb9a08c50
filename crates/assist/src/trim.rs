//! From what the model writes to what the user is shown: rules that stop the model early, and rules for the end.
//!
//! A rule that stops the model looks at the text so far and says where it ends, if that is certain whatever follows.
//! The rules for the end see the whole text. Each rule is a file of its own, with its cases before and after.

mod brackets;
mod control;
mod dedent;
mod echo;
mod extent;
mod indentation;
mod length;
mod overlap;
mod repetition;
mod short;
mod similar;
mod statement;
mod whitespace;

use engine::Finish;

use crate::reason::Reason;
use crate::site::Site;

/// Where a rule ends the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stop {
    /// In bytes of the text.
    pub(crate) at: usize,
    pub(crate) rule: &'static str,
}

/// The first place at which a rule ends `text`. The first `n_seen` bytes were looked at before, in vain; `complete` says
/// that nothing will follow.
pub(crate) fn stop(
    site: &Site,
    control_tokens: &[String],
    text: &str,
    n_seen: usize,
    complete: bool,
) -> Option<Stop> {
    let rule = |rule, at: Option<usize>| at.map(|at| Stop { at, rule });
    [
        rule("control-token", control::stop(control_tokens, text)),
        rule("repetition", repetition::stop(text, n_seen)),
        rule("one-line", extent::stop(site, text)),
        rule("statement", statement::stop(site, text)),
        rule("dedent", dedent::stop(site, text)),
        rule("brackets", brackets::stop(site, text, complete)),
    ]
    .into_iter()
    .flatten()
    .min_by_key(|stop| stop.at)
}

/// The end of what `text` says before it says it again; the first `n_seen` bytes were looked at before, in vain.
pub(crate) fn repetition(text: &str, n_seen: usize) -> Option<usize> {
    repetition::stop(text, n_seen)
}

/// The suggestion in `text`, which a rule has ended or the model; with line feeds for line ends.
pub(crate) fn finish(site: &Site, text: &str, ended: Ended) -> Result<String, Reason> {
    let text = match ended {
        Ended::ByModel(Finish::Length) => length::cut(site, text),
        Ended::ByModel(Finish::Stop | Finish::Cancelled) | Ended::ByRule => text,
    };
    let text = whitespace::trim(text);
    if text.trim().is_empty() {
        return Err(Reason::Empty);
    }
    if echo::repeats_line_above(site, &text) {
        return Err(Reason::RepeatsPrefix);
    }
    let kept = overlap::trim(site, &text).ok_or(Reason::RepeatsSuffix)?;
    let kept = similar::trim(site, kept).ok_or(Reason::RepeatsSuffix)?;
    let text = whitespace::trim(&indentation::fit(site, kept));
    if short::is_too_short(site, &text) { Err(Reason::TooShort) } else { Ok(text) }
}

/// Who ended a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    ByRule,
    ByModel(Finish),
}

#[cfg(test)]
mod tests;
