//! Words that a search goes by: identifiers, whole and cut into their parts.

use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

/// Longer runs of letters are data.
const MAX_IDENTIFIER: usize = 80;

/// Terms and how often each is there.
pub(crate) type Counts = HashMap<String, u32, FxBuildHasher>;

/// Terms of a text and how often each is there.
///
/// `readHttpHeader2` and `read_http_header_2` both give `readhttpheader2`, `read`, `http` and `header`: a search finds the same thing in
/// any style of naming. Terms have two characters at least.
pub(crate) fn count_terms(text: &str) -> Counts {
    let mut counts = Counts::default();
    for_each_term(text, &mut |term| match counts.get_mut(term) {
        Some(count) => *count += 1,
        None => {
            counts.insert(term.to_owned(), 1);
        }
    });
    counts
}

pub(crate) fn for_each_term(text: &str, visit: &mut dyn FnMut(&str)) {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    let mut whole = String::new();
    for identifier in text.split(|character| !is_part(character)) {
        if identifier.len() < 2 || MAX_IDENTIFIER < identifier.len() {
            continue;
        }
        whole.clear();
        let mut ends: [usize; 16] = [0; 16];
        let mut n_words = 0;
        for word in words(identifier) {
            whole.extend(word.chars().flat_map(char::to_lowercase));
            if let Some(end) = ends.get_mut(n_words) {
                *end = whole.len();
                n_words += 1;
            }
        }
        if whole.len() < 2 || whole.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        visit(&whole);
        if n_words < 2 {
            continue;
        }
        let mut start = 0;
        for &end in ends.iter().take(n_words) {
            let word = whole.get(start..end).unwrap_or_default();
            if 2 <= word.len() && !word.bytes().all(|byte| byte.is_ascii_digit()) {
                visit(word);
            }
            start = end;
        }
    }
}

/// Parts of an identifier: cut at underscores, where upper case begins, before the last capital of a run of them, and around digits.
fn words(identifier: &str) -> impl Iterator<Item = &str> {
    let mut rest = identifier;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches('_');
        let mut chars = rest.char_indices().peekable();
        let (_, first) = chars.next()?;
        let mut previous = first;
        let mut end = rest.len();
        while let Some((at, character)) = chars.next() {
            let next_is_lower = chars.peek().is_some_and(|(_, next)| next.is_lowercase());
            let begins_word = character == '_'
                || character.is_numeric() != previous.is_numeric()
                || (character.is_uppercase() && (!previous.is_uppercase() || next_is_lower));
            if begins_word {
                end = at;
                break;
            }
            previous = character;
        }
        let (word, behind) = rest.split_at(end);
        rest = behind;
        Some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let mut terms = Vec::new();
        for_each_term(text, &mut |term| terms.push(term.to_owned()));
        assert_eq!(terms.join(" "), expected);
    }

    #[test]
    fn identifiers_are_whole_and_in_parts() {
        check("readHttpHeader2(x)", "readhttpheader2 read http header");
        check("read_http_header_2", "readhttpheader2 read http header");
        check("HTTPServer __init__", "httpserver http server init");
        check("SCREAMING_CASE utf8", "screamingcase screaming case utf8 utf");
        check("Größe.ÄndereIt()", "größe ändereit ändere it");
    }

    #[test]
    fn what_says_nothing_is_no_term() {
        check("a + b_c == 12 && 3_4 || _ + ___", "bc");
        check(&"x".repeat(MAX_IDENTIFIER + 1), "");
        check("", "");
    }
}
