//! A rough reading of brackets, good for fragments that no grammar parses: strings and comments are skipped by their
//! usual signs.

use syntax::Language;

/// The brackets of `text` in order, with their byte offsets. Unless `complete`, stops before what later text could
/// turn into a character literal.
pub(crate) fn brackets(
    language: Option<Language>,
    text: &str,
    complete: bool,
) -> Vec<(usize, char)> {
    let comment = language.map_or("//", Language::line_comment);
    let slash_comments = comment == "//";
    let quote_is_literal = language.is_none_or(Language::has_characters);
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let at = text.len() - rest.len();
        let behind = rest.get(character.len_utf8()..).unwrap_or_default();
        rest = match character {
            '(' | '[' | '{' | ')' | ']' | '}' => {
                found.push((at, character));
                behind
            }
            _ if rest.starts_with(comment) && begins_comment(language, text, at) => {
                skip_line(behind)
            }
            '/' if slash_comments && behind.starts_with('*') => match behind.find("*/") {
                Some(end) => behind.get(end + 2..).unwrap_or_default(),
                None => "",
            },
            '"' => skip_string(behind, '"', false),
            '`' if language != Some(Language::Rust) => skip_string(behind, '`', true),
            '\'' if quote_is_literal => match character_literal(behind) {
                Literal::Ends(end) => behind.get(end..).unwrap_or_default(),
                Literal::Unknown if !complete => return found,
                Literal::Unknown | Literal::None => behind,
            },
            '\'' => skip_string(behind, '\'', false),
            _ => behind,
        };
    }
    found
}

/// In a shell `#` is a sign of its own inside a word, as in `$#`.
fn begins_comment(language: Option<Language>, text: &str, at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    language != Some(Language::Bash) || before.ends_with(char::is_whitespace) || before.is_empty()
}

/// The opening bracket that a closing one belongs to.
pub(crate) fn counterpart(bracket: char) -> Option<char> {
    match bracket {
        ')' => Some('('),
        ']' => Some('['),
        '}' => Some('{'),
        _ => None,
    }
}

/// Brackets of `text` that are left open at its end, the innermost last; closing ones without counterpart are passed over.
pub(crate) fn unclosed(language: Option<Language>, text: &str) -> Vec<char> {
    let mut open = Vec::new();
    for (_, bracket) in brackets(language, text, true) {
        match counterpart(bracket) {
            None => open.push(bracket),
            Some(opener) if open.last() == Some(&opener) => {
                open.pop();
            }
            Some(_) => {}
        }
    }
    open
}

/// Closing brackets of `text` without a counterpart in it.
pub(crate) fn n_unopened(language: Option<Language>, text: &str) -> usize {
    let mut n_open = 0_usize;
    let mut n_unopened = 0;
    for (_, bracket) in brackets(language, text, true) {
        match (counterpart(bracket), n_open) {
            (None, _) => n_open += 1,
            (Some(_), 0) => n_unopened += 1,
            (Some(_), _) => n_open -= 1,
        }
    }
    n_unopened
}

fn skip_line(text: &str) -> &str {
    text.find('\n').and_then(|end| text.get(end..)).unwrap_or_default()
}

/// What follows the string that `text` begins in; a string on one line that is not closed ends with the line.
fn skip_string(text: &str, quote: char, over_lines: bool) -> &str {
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\n' if !over_lines => return text.get(at..).unwrap_or_default(),
            _ if character == quote => {
                return text.get(at + quote.len_utf8()..).unwrap_or_default();
            }
            _ => {}
        }
    }
    ""
}

enum Literal {
    /// At this byte behind the first quote.
    Ends(usize),
    /// The text is too short to tell.
    Unknown,
    None,
}

/// A quote begins `'x'` or `'\n'`, or it is a lifetime or an apostrophe.
fn character_literal(text: &str) -> Literal {
    let mut chars = text.char_indices();
    let Some((_, first)) = chars.next() else { return Literal::Unknown };
    if first == '\\' {
        return match text.char_indices().skip(2).take(10).find(|(_, it)| *it == '\'') {
            Some((end, _)) => Literal::Ends(end + 1),
            None if text.chars().count() < 12 => Literal::Unknown,
            None => Literal::None,
        };
    }
    match chars.next() {
        Some((end, '\'')) => Literal::Ends(end + 1),
        Some(_) => Literal::None,
        None => Literal::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(language: Language, text: &str, expected: &str) {
        let found: String =
            brackets(Some(language), text, true).into_iter().map(|(_, bracket)| bracket).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn strings_and_comments_are_skipped() {
        check(Language::Rust, "f(\")\\\")\", ')', '\\'', '\\u{7d}') // )", "()");
        check(Language::Rust, "fn f<'a>(x: &'a str) { /* ) */ }", "(){}");
        check(Language::Python, "f('(', \"[\")  # (\nx[1]", "()[]");
        check(Language::JavaScript, "`${\n(` + f('(')", "()");
        check(Language::Go, "x := \"(\nf()", "()");
        check(Language::Cpp, "f(')'); // )", "()");
        check(Language::Java, "f('(', \"(\") /* ( */", "()");
        check(Language::CSharp, "f('\\'') // (", "()");
        check(Language::Ruby, "f(\"#{x}(\") # (", "()");
        check(Language::Lua, "f(#t) -- (\nx // y()", "()()");
        check(Language::Bash, "f \"$(a)\" ${#b} # (", "{}");
    }

    #[test]
    fn what_may_become_a_literal_is_left_open() {
        let found = |text| brackets(Some(Language::Rust), text, false).len();
        assert_eq!(found("f(')"), 1);
        assert_eq!(found("f(')'"), 1);
        assert_eq!(found("f('a, (b)"), 3);
    }

    #[test]
    fn what_is_open_and_what_is_surplus() {
        assert_eq!(unclosed(Some(Language::Rust), ") fn f() { g(["), ['{', '(', '[']);
        assert_eq!(n_unopened(Some(Language::Rust), "x) { } ] }"), 3);
    }
}
