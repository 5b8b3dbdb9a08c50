//! How each language documents an item, and what of a text is such a comment.

use syntax::Language;

/// The form of a comment that documents an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Lines above the item, each with this leader.
    Lines(&'static str),
    /// `/** ... */` above the item.
    Block,
    /// A string that the body begins with.
    DocString,
}

/// A comment that tells the same again is not worth its lines.
const MAX_LINES: usize = 12;

impl Style {
    pub(crate) fn of(language: Language) -> Self {
        match language {
            Language::C
            | Language::Cpp
            | Language::Java
            | Language::JavaScript
            | Language::Tsx
            | Language::TypeScript => Self::Block,
            Language::CSharp | Language::Rust => Self::Lines("///"),
            Language::Lua => Self::Lines("---"),
            Language::Python => Self::DocString,
            Language::Bash | Language::Go | Language::Ruby => Self::Lines(language.line_comment()),
        }
    }

    /// What stands before the model's first word, at `indent`.
    pub(crate) fn opening(self, indent: &str) -> String {
        match self {
            Self::Lines(leader) => format!("{indent}{leader} "),
            Self::Block => format!("{indent}/**\n{indent} * "),
            Self::DocString => format!("{indent}\"\"\""),
        }
    }

    /// Where the comment ends in `text`, which the model wrote behind the opening; `None` while it may go on.
    pub(crate) fn end(self, indent: &str, text: &str) -> Option<usize> {
        match self {
            Self::Block => text.find("*/"),
            Self::DocString => text.find("\"\"\""),
            Self::Lines(leader) => {
                let leader = format!("{indent}{leader}");
                line_starts(text)
                    .skip(1)
                    .find(|&start| {
                        let line = text.get(start..).unwrap_or_default();
                        !line.starts_with(&leader) && !leader.starts_with(line)
                    })
                    .map(|start| start - 1)
            }
        }
    }

    /// The whole comment with its line feed, from what the model wrote behind the opening; `None` when it says nothing.
    /// Of a text that is cut, the last line is left out where there are others.
    pub(crate) fn finish(self, indent: &str, text: &str, is_cut: bool) -> Option<String> {
        let mut lines: Vec<&str> = Vec::new();
        let n_lines = text.lines().count();
        for (at, line) in text.lines().enumerate() {
            let words = self.words(line);
            if is_cut && 0 < at && at + 1 == n_lines {
                break;
            }
            let is_repeated = !words.is_empty() && lines.contains(&words);
            if is_repeated || lines.len() == MAX_LINES {
                break;
            }
            lines.push(words);
        }
        while lines.last().is_some_and(|line| line.is_empty()) {
            lines.pop();
        }
        if lines.first().is_none_or(|line| !line.chars().any(char::is_alphanumeric)) {
            return None;
        }
        Some(self.written(indent, &lines))
    }

    /// A line without what every line of such a comment begins with.
    fn words(self, line: &str) -> &str {
        let line = line.trim();
        match self {
            Self::Lines(leader) => line.strip_prefix(leader).unwrap_or(line).trim_start(),
            Self::Block => line.strip_prefix('*').unwrap_or(line).trim_start(),
            Self::DocString => line,
        }
    }

    fn written(self, indent: &str, lines: &[&str]) -> String {
        let mut text = String::new();
        let mut line = |leader: &str, words: &str| {
            text.push_str(format!("{indent}{leader}{words}").trim_end());
            text.push('\n');
        };
        match (self, lines) {
            (Self::Lines(leader), _) => {
                let leader = format!("{leader} ");
                lines.iter().for_each(|words| line(&leader, words));
            }
            (Self::Block, _) => {
                line("/**", "");
                lines.iter().for_each(|words| line(" * ", words));
                line(" */", "");
            }
            (Self::DocString, [only]) => line("\"\"\"", &format!("{only}\"\"\"")),
            (Self::DocString, [first, rest @ ..]) => {
                line("\"\"\"", first);
                rest.iter().for_each(|words| line("", words));
                line("\"\"\"", "");
            }
            (Self::DocString, []) => {}
        }
        text
    }
}

fn line_starts(text: &str) -> impl Iterator<Item = usize> {
    std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(style: Style, indent: &str, written: &str, expected: Option<&str>) {
        let end = style.end(indent, written).unwrap_or(written.len());
        assert_eq!(style.finish(indent, &written[..end], false).as_deref(), expected);
    }

    #[test]
    fn lines() {
        let style = Style::Lines("///");
        check(style, "", "Adds.\nfn f() {\n", Some("/// Adds.\n"));
        check(
            style,
            "    ",
            "Adds.\n    ///\n    /// # Errors\n    fn f() {\n",
            Some("    /// Adds.\n    ///\n    /// # Errors\n"),
        );
        check(style, "", "Adds.\n/// Adds.\n/// Adds.\n", Some("/// Adds.\n"));
        check(style, "", "\nfn f()", None);
        check(style, "", "-----\n", None);
        check(Style::Lines("#"), "\t", "Adds.\n\t#\n\tdef f", Some("\t# Adds.\n"));
    }

    #[test]
    fn blocks() {
        check(Style::Block, "", "Adds. */\nint f();", Some("/**\n * Adds.\n */\n"));
        check(
            Style::Block,
            "  ",
            "Adds.\n   * @param a  one\n   */\n  f() {",
            Some("  /**\n   * Adds.\n   * @param a  one\n   */\n"),
        );
        check(Style::Block, "", "Adds", Some("/**\n * Adds\n */\n"));
    }

    #[test]
    fn doc_strings() {
        check(
            Style::DocString,
            "    ",
            "Adds.\"\"\"\n    return 1",
            Some("    \"\"\"Adds.\"\"\"\n"),
        );
        check(
            Style::DocString,
            "    ",
            "Adds.\n\n    Returns it.\n    \"\"\"\n",
            Some("    \"\"\"Adds.\n\n    Returns it.\n    \"\"\"\n"),
        );
    }

    #[test]
    fn a_cut_comment_ends_with_a_whole_line() {
        let style = Style::Lines("//");
        assert_eq!(style.finish("", "Adds.\n// Retu", true).as_deref(), Some("// Adds.\n"));
        assert_eq!(style.finish("", "Adds to the", true).as_deref(), Some("// Adds to the\n"));
    }
}
