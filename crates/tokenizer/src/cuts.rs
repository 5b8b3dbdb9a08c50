//! Places where a text may be cut so that its parts have the tokens of the whole.
//!
//! A letter with white space behind it: every expression below ends a piece there, whatever stands before and behind, and none looks back.

use tokenizers::{
    AddedToken, NormalizerWrapper, PreTokenizerWrapper, SplitDelimiterBehavior,
    pre_tokenizers::split::SplitPattern,
};

/// Expressions that take no white space behind a letter into one piece with it, and that every letter is matched by.
pub(crate) const SPLITTING: [&str; 7] = [
    // GPT-2 and StarCoder, after its digits.
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    // Qwen2 and Llama 3, as they were published and as llama.cpp writes them.
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    // DeepSeek-Coder.
    r"\s?\p{L}+",
    // The default model.
    r"(?:\r?\n)+[ \t]*|[ _]?\p{L}[\p{L}\p{M}]*| ?\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
];

/// Expressions that match no letter with white space behind it, so that they find the same in the parts; they go with one of the others.
pub(crate) const HARMLESS: [&str; 7] = [
    r"\p{N}",
    r"\p{N}+",
    "[0-9][0-9][0-9]",
    r"[\p{P}\$\+<=>\^~\|]+",
    r"[\r\n]",
    r"\s?\p{P}+",
    "[一-龥ࠀ-一가-퟿]+",
];

/// What a step of a pre-tokenizer does at a letter with white space behind it.
#[derive(PartialEq, Eq)]
enum Step {
    Splits,
    Harmless,
    Unknown,
}

/// Whether [`parts`] have the tokens of the whole under a tokenizer of this description.
pub(crate) fn may_be_cut<'a>(
    normalizer: Option<&NormalizerWrapper>,
    pre_tokenizer: Option<&PreTokenizerWrapper>,
    mut added: impl Iterator<Item = &'a AddedToken>,
) -> bool {
    let is_local = matches!(normalizer, None | Some(NormalizerWrapper::NFC(_)));
    // Added tokens are found before all else.
    let spans_a_cut = |token: &AddedToken| {
        token.rstrip || token.content.trim_start().contains(char::is_whitespace)
    };
    let steps: Vec<Step> = match pre_tokenizer {
        Some(PreTokenizerWrapper::Sequence(steps)) => steps.as_ref().iter().map(step).collect(),
        Some(only) => vec![step(only)],
        None => Vec::new(),
    };
    is_local
        && steps.contains(&Step::Splits)
        && !steps.contains(&Step::Unknown)
        && !added.any(spans_a_cut)
}

fn step(pre_tokenizer: &PreTokenizerWrapper) -> Step {
    match pre_tokenizer {
        PreTokenizerWrapper::Digits(_) => Step::Harmless,
        PreTokenizerWrapper::ByteLevel(it) if it.add_prefix_space => Step::Unknown,
        PreTokenizerWrapper::ByteLevel(it) if it.use_regex => Step::Splits,
        PreTokenizerWrapper::ByteLevel(_) => Step::Harmless,
        PreTokenizerWrapper::Split(it)
            if it.behavior == SplitDelimiterBehavior::Isolated && !it.invert =>
        {
            match &it.pattern {
                SplitPattern::Regex(regex) if SPLITTING.contains(&regex.as_str()) => Step::Splits,
                SplitPattern::Regex(regex) if HARMLESS.contains(&regex.as_str()) => Step::Harmless,
                _ => Step::Unknown,
            }
        }
        _ => Step::Unknown,
    }
}

/// About the lines of `text`, cut behind the first word of each that has white space behind it.
pub(crate) fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (part, behind) = rest.split_at_checked(first_cut(rest).unwrap_or(rest.len()))?;
        rest = behind;
        (!part.is_empty()).then_some(part)
    })
}

/// The first cut on a line that begins in `text`.
fn first_cut(text: &str) -> Option<usize> {
    let line_feed = text.bytes().skip(1).position(|byte| byte == b'\n')? + 1;
    let bytes = text.as_bytes().get(line_feed..)?;
    let is_cut = |pair: &[u8]| matches!(pair, [letter, white] if letter.is_ascii_alphabetic() && matches!(white, b' ' | b'\n'));
    bytes.windows(2).position(is_cut).map(|at| line_feed + at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        assert_eq!(parts(text).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_text_is_cut_once_a_line() {
        check("", &[]);
        check("let x = 1;", &["let x = 1;"]);
        check(
            "let x = 1;\n    let y = f(\n        2,\n    );\nend\n}\n",
            &["let x = 1;\n    let", " y = f(\n        2,\n    );\nend", "\n}\n"],
        );
        check("\na b\nc d\n", &["\na b\nc", " d\n"]);
        check("é\né è\na è", &["é\né è\na", " è"]);
    }
}
