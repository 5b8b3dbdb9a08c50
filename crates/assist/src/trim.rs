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
    pub(crate) rule: Rule,
}

/// What ends a text before the model does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    ControlToken,
    Repetition,
    OneLine,
    Statement,
    Dedent,
    Brackets,
}

impl Rule {
    /// As it is told of a completion.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ControlToken => "control-token",
            Self::Repetition => "repetition",
            Self::OneLine => "one-line",
            Self::Statement => "statement",
            Self::Dedent => "dedent",
            Self::Brackets => "brackets",
        }
    }

    /// The model had nothing more to say, rather than more than was asked for.
    pub(crate) fn ends_all(self) -> bool {
        matches!(self, Self::ControlToken | Self::Repetition)
    }
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
        rule(Rule::ControlToken, control::stop(control_tokens, text)),
        rule(Rule::Repetition, repetition::stop(text, n_seen)),
        rule(Rule::OneLine, extent::stop(site, text)),
        rule(Rule::Statement, statement::stop(site, text)),
        rule(Rule::Dedent, dedent::stop(site, text)),
        rule(Rule::Brackets, brackets::stop(site, text, complete)),
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
