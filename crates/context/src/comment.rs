//! Text of other files as comments of the caret's language.

use syntax::Language;

/// For languages without a grammar here. More of them begin a comment with this than with anything else.
const ANY_LEADER: &str = "#";

/// `text` with a leader of a line comment before each line, and a line feed at the end.
pub(crate) fn commented(language: Option<Language>, text: &str) -> String {
    let leader = language.map_or(ANY_LEADER, Language::line_comment);
    let mut comment = String::with_capacity(text.len() + text.len() / 8);
    for line in text.trim_end_matches('\n').split('\n') {
        comment.push_str(leader);
        if !line.is_empty() {
            comment.push(' ');
            comment.push_str(line);
        }
        comment.push('\n');
    }
    comment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(language: Option<Language>, text: &str, expected: &str) {
        assert_eq!(commented(language, text), expected);
    }

    #[test]
    fn every_line_is_a_comment() {
        check(Some(Language::Rust), "a.rs\nfn f() {\n\n}\n", "// a.rs\n// fn f() {\n//\n// }\n");
        check(Some(Language::Python), "x", "# x\n");
        check(None, "x\n", "# x\n");
    }
}
