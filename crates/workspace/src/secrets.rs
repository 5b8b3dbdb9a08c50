//! Secrets in text: found by well-known patterns and masked, so that no prompt and no index holds one.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use regex::Regex;

use crate::secrets::rules::RULES;

mod entropy;
mod rules;

/// A line this long is data; what lies further from a keyword than that is not looked at.
const MAX_LINE: usize = 8192;

/// What a masked byte becomes.
const MASK: u8 = b'*';

/// `text` with every byte of what looks like a secret replaced by `*`; line breaks stay, and so does the length.
///
/// A secret that was cut in two by the caller may be missed: mask first, cut then.
pub fn mask(text: &str) -> Cow<'_, str> {
    let found = secrets(text);
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut masked = text.as_bytes().to_vec();
    for range in found {
        for byte in masked.get_mut(range).unwrap_or_default() {
            if !matches!(byte, b'\n' | b'\r') {
                *byte = MASK;
            }
        }
    }
    // Whole characters are replaced by ASCII, so this is text again; if it were not, nothing would be shown.
    String::from_utf8(masked).map(Cow::Owned).unwrap_or_default()
}

/// Byte ranges of what looks like a secret, in order and apart from each other.
pub fn secrets(text: &str) -> Vec<Range<usize>> {
    let whole = 0..text.len();
    let Some(compiled) = compiled() else { return Vec::from([whole]) };
    let mut found = Vec::new();
    let mut done: Vec<usize> = vec![0; RULES.len()];
    for keyword in compiled.keywords.find_overlapping_iter(text) {
        let Some(&rule_idx) = compiled.rule_of_keyword.get(keyword.pattern().as_usize()) else {
            continue;
        };
        let (Some(rule), Some(regex), Some(done)) =
            (RULES.get(rule_idx), compiled.regexes.get(rule_idx), done.get_mut(rule_idx))
        else {
            continue;
        };
        // A line is searched once by each rule, however often it holds its keywords.
        if keyword.start() < *done {
            continue;
        }
        let window = line_at(text, keyword.start());
        *done = window.end;
        for captures in regex.captures_iter(text.get(window.clone()).unwrap_or_default()) {
            let Some(secret) = captures.get(1).or_else(|| captures.get(0)) else { continue };
            if (rule.accept)(secret.as_str()) {
                found.push(window.start + secret.start()..window.start + secret.end());
            }
        }
    }
    found.extend(rules::key_blocks(text));
    found.sort_unstable_by_key(|range| range.start);
    let mut apart: Vec<Range<usize>> = Vec::new();
    for range in found {
        match apart.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => apart.push(range),
        }
    }
    apart
}

struct Compiled {
    keywords: AhoCorasick,
    rule_of_keyword: Vec<usize>,
    regexes: Vec<Regex>,
}

/// `None` only if a pattern is no regular expression, which a test rules out.
fn compiled() -> Option<&'static Compiled> {
    static COMPILED: OnceLock<Option<Compiled>> = OnceLock::new();
    COMPILED.get_or_init(compile).as_ref()
}

fn compile() -> Option<Compiled> {
    let keywords = RULES.iter().enumerate();
    let keywords: Vec<(usize, &str)> = keywords
        .flat_map(|(idx, rule)| rule.keywords.iter().map(move |keyword| (idx, *keyword)))
        .collect();
    let automaton = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .kind(Some(AhoCorasickKind::DFA))
        .build(keywords.iter().map(|(_, keyword)| keyword))
        .ok()?;
    let regexes: Result<Vec<_>, _> = RULES.iter().map(|rule| Regex::new(rule.pattern)).collect();
    Some(Compiled {
        keywords: automaton,
        rule_of_keyword: keywords.into_iter().map(|(idx, _)| idx).collect(),
        regexes: regexes.ok()?,
    })
}

/// The line of a keyword, or its surroundings where that is long.
fn line_at(text: &str, at: usize) -> Range<usize> {
    let before = text.get(..at).unwrap_or_default();
    let start = before.rfind(['\n', '\r']).map_or(0, |newline| newline + 1);
    let rest = text.get(at..).unwrap_or_default();
    let end = rest.find('\n').map_or(text.len(), |newline| at + newline);
    let start = text.floor_char_boundary(start.max(at.saturating_sub(MAX_LINE)));
    start..text.floor_char_boundary(end.min(at.saturating_add(MAX_LINE)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_compiles_under_a_name_of_its_own() {
        for rule in RULES {
            Regex::new(rule.pattern).unwrap();
        }
        let mut names: Vec<_> = RULES.iter().map(|rule| rule.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), RULES.len());
        assert!(compiled().is_some());
    }
}
