//! Instructions that stand in the code: `// dacapo: what to do`.

use std::ops::Range;

use workspace::Document;

/// What a comment begins with that is an instruction.
const MARK: &str = "dacapo:";

/// Lines above the caret that are looked at.
const MAX_LINES: usize = 64;

/// Signs that begin a comment or go on with one, the longest first.
const LEADERS: [&str; 8] = ["<!--", "///", "//", "/*", "--", "#", ";", "*"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(crate) text: String,
    /// Bytes of its lines with their ends.
    pub(crate) lines: Range<usize>,
}

/// The instruction in the selection, or the nearest one above its end with nothing but code of the same block between.
pub(crate) fn find(document: &Document, selection: &Range<usize>) -> Option<Instruction> {
    let buffer = &document.buffer;
    let (first, last) = (buffer.line_of(selection.start), buffer.line_of(selection.end));
    let oldest = first.saturating_sub(MAX_LINES);
    // A caret on the first of its lines, or above them among comments, is meant as well.
    let start = (oldest..=last).rev().find(|&line| {
        let text = buffer.slice(buffer.line_range(line));
        comment(&text).is_some_and(|words| words.to_ascii_lowercase().starts_with(MARK))
    })?;
    let is_near = first <= start || is_in_reach(document, start, selection.start);
    if !is_near {
        return None;
    }
    let head = buffer.slice(buffer.line_range(start));
    let mut text = comment(&head)?.get(MARK.len()..)?.trim().to_owned();
    let mut end = start + 1;
    while end < buffer.n_lines() {
        let line = buffer.slice(buffer.line_range(end));
        let Some(words) = comment(&line) else { break };
        text.push(' ');
        text.push_str(words);
        end += 1;
    }
    let lines = buffer.line_range(start).start..match end < buffer.n_lines() {
        true => buffer.line_range(end).start,
        false => buffer.len(),
    };
    let text = text.trim().trim_end_matches("*/").trim_end_matches("-->").trim().to_owned();
    (!text.is_empty()).then_some(Instruction { text, lines })
}

/// The caret is in the statement that follows the comment, or in the item around both.
fn is_in_reach(document: &Document, line: usize, caret: usize) -> bool {
    let Some(tree) = document.tree() else { return false };
    let end = document.buffer.line_range(line).end;
    let statement = tree.statement_at(end);
    let item = tree.items(caret).into_iter().next();
    statement.is_some_and(|range| caret <= range.end)
        || item.is_some_and(|item| item.range.start <= end && caret <= item.range.end)
}

/// What a comment line says; `None` for a line of another kind.
fn comment(line: &str) -> Option<&str> {
    let line = line.trim();
    let rest = LEADERS.iter().find_map(|leader| line.strip_prefix(leader))?;
    Some(rest.trim())
}

#[cfg(test)]
mod tests {
    use text::Buffer;
    use workspace::{DocumentId, Language};

    use super::*;

    #[track_caller]
    fn check(language: Language, marked: &str, expected: Option<(&str, &str)>) {
        let caret = marked.find("$0").unwrap();
        let text = marked.replacen("$0", "", 1);
        let buffer = Buffer::from(text.as_str());
        let document = Document::new(DocumentId("a".into()), None, Some(language), 1, buffer);
        let found = find(&document, &(caret..caret));
        let found = found.as_ref().map(|it| (it.text.as_str(), &text[it.lines.clone()]));
        assert_eq!(found, expected);
    }

    #[test]
    fn instructions_are_found_near_the_caret() {
        use Language::{C, Python, Rust};
        let line = "// dacapo: add a check\n";
        let expected = Some(("add a check", line));
        check(Rust, "// dacapo: add a check$0\nfn f() {\n    g();\n}\n", expected);
        check(Rust, "// dacapo: add a check\nfn f() {\n    $0g();\n}\n", expected);
        check(Rust, "// dacapo: add a check\nfn f() {\n}\n\nfn h() {\n    $0g();\n}\n", None);
        check(
            Python,
            "def f():\n    # Dacapo: return\n    # two\n    $0return 1\n",
            Some(("return two", "    # Dacapo: return\n    # two\n")),
        );
        check(
            C,
            "/* dacapo: rename a */\nint $0a;\n",
            Some(("rename a", "/* dacapo: rename a */\n")),
        );
        check(Rust, "// dacapo:\nfn f() {$0}\n", None);
        check(Rust, "fn f() {$0}\n", None);
    }
}
