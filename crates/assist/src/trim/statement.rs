//! Where a body goes on: one statement, with the block that it opens.

use syntax::Language;

use crate::brackets::unclosed;
use crate::lines::{indentation, is_blank, numbered};
use crate::site::{Extent, Site};

/// What a line ends with that has more to say.
const GOES_ON: [&str; 20] = [
    "(", "[", "{", ",", "=", "+", "-", "*", "/", "|", "&", "<", "?", ".", "\\", "=>", "->", "and",
    "or", "not",
];

/// The end of the first statement.
///
/// A statement ends with its line unless brackets are open there, the line has no end that its language asks for, or a block
/// follows: then it ends with the bracket or the word that closes it, or before the first line that is not indented deeper.
pub(super) fn stop(site: &Site, text: &str) -> Option<usize> {
    if site.extent != Extent::Statement {
        return None;
    }
    let caret_depth = indentation(site.line_before());
    let mut base = None;
    let mut in_block = false;
    let mut end = None;
    for (start, line) in numbered(text) {
        let line_end = start + line.len();
        let is_terminated = line_end < text.len();
        if is_blank(line) {
            continue;
        }
        let depth = indentation(line) + if start == 0 { caret_depth } else { 0 };
        let base = *base.get_or_insert(depth);
        if in_block && depth <= base && end.is_some() {
            match next_part(site.language, line.trim_start()) {
                Part::Closes if is_terminated => return Some(line_end),
                Part::Closes => return None,
                Part::NotKnown if !is_terminated => return None,
                Part::GoesOn => {}
                Part::NotKnown | Part::Another => return end,
            }
        }
        if !is_terminated {
            return None;
        }
        end = Some(line_end);
        in_block |= opens_block(site.language, line);
        if !in_block && is_complete(site.language, text.get(..line_end)?) {
            return end;
        }
    }
    None
}

/// `text`, which ends with a line, wants no further one.
fn is_complete(language: Option<Language>, text: &str) -> bool {
    let text = text.trim_end();
    let line = text.rsplit('\n').next().unwrap_or_default().trim();
    if line.starts_with(language.map_or("//", Language::line_comment))
        || is_decorator(language, line)
        || is_inside_long_token(language, text)
        || !unclosed(language, text).is_empty()
    {
        return false;
    }
    if asks_for_semicolons(language) {
        return line.ends_with([';', '}', ',', ':']);
    }
    line.ends_with("++")
        || line.ends_with("--")
        || !GOES_ON.iter().any(|sign| ends_with(line, sign))
}

fn asks_for_semicolons(language: Option<Language>) -> bool {
    use Language::{C, CSharp, Cpp, Java, Rust};
    matches!(language, Some(C | CSharp | Cpp | Java | Rust))
}

/// What stands on a line of its own before the item that it belongs to.
fn is_decorator(language: Option<Language>, line: &str) -> bool {
    match language {
        Some(Language::Bash | Language::Lua | Language::Ruby) => false,
        _ => line.starts_with(['@', '#']),
    }
}

/// The end of `text` lies in a string or comment that may hold line feeds.
fn is_inside_long_token(language: Option<Language>, text: &str) -> bool {
    use Language::{Go, JavaScript, Python, Tsx, TypeScript};
    let is_odd = |sign| !text.matches(sign).count().is_multiple_of(2);
    match language {
        Some(Python) => is_odd("\"\"\"") || is_odd("'''"),
        Some(Go | JavaScript | Tsx | TypeScript) if is_odd("`") => true,
        Some(Language::Bash | Language::Lua | Language::Ruby) => false,
        _ => text.matches("*/").count() < text.matches("/*").count(),
    }
}

fn ends_with(line: &str, sign: &str) -> bool {
    let Some(rest) = line.strip_suffix(sign) else { return false };
    let is_word = sign.ends_with(char::is_alphabetic);
    !is_word || rest.ends_with(|before: char| !before.is_alphanumeric() && before != '_')
}

/// A block that indentation or a word ends, and no bracket.
fn opens_block(language: Option<Language>, line: &str) -> bool {
    let Some(language) = language else { return false };
    let comment = format!(" {}", language.line_comment());
    let code = line.split(&comment).next().unwrap_or_default().trim();
    if language.indentation_blocks() {
        return code.ends_with(':');
    }
    if !ends_blocks_with_words(language) {
        return false;
    }
    let mut words = code.split(|character: char| !character.is_alphanumeric() && character != '_');
    let first = words.next().unwrap_or_default();
    let last = words.next_back().unwrap_or(first);
    let opens = matches!(
        first,
        "begin"
            | "case"
            | "class"
            | "def"
            | "for"
            | "function"
            | "if"
            | "module"
            | "repeat"
            | "select"
            | "unless"
            | "until"
            | "while"
    ) || matches!(last, "do" | "then")
        || (language == Language::Lua && code.contains("function"))
        || (language == Language::Ruby && code.ends_with('|'));
    opens && !matches!(last, "end" | "fi" | "done" | "esac")
}

fn ends_blocks_with_words(language: Language) -> bool {
    matches!(language, Language::Bash | Language::Lua | Language::Ruby)
}

/// What a line as deep as the statement is to it.
enum Part {
    /// Its last line.
    Closes,
    /// The head of another block of it.
    GoesOn,
    /// Too little of the line is there.
    NotKnown,
    /// The next statement.
    Another,
}

fn next_part(language: Option<Language>, line: &str) -> Part {
    let Some(language) = language else { return Part::Another };
    let (closers, heads): (&[&str], &[&str]) = if language.indentation_blocks() {
        (&[], &["case", "elif", "else", "except", "finally"])
    } else if ends_blocks_with_words(language) {
        (
            &["done", "end", "esac", "fi", "until"],
            &["elif", "else", "elseif", "elsif", "ensure", "in", "rescue", "when"],
        )
    } else {
        (&[], &[])
    };
    let word =
        line.split(|character: char| !character.is_alphanumeric()).next().unwrap_or_default();
    let may_become = |words: &[&str]| words.iter().any(|other| other.starts_with(word));
    if closers.contains(&word) {
        Part::Closes
    } else if heads.contains(&word) || line.starts_with([')', ']', '}']) {
        Part::GoesOn
    } else if word.len() == line.len() && (may_become(closers) || may_become(heads)) {
        Part::NotKnown
    } else {
        Part::Another
    }
}

#[cfg(test)]
mod tests {
    use syntax::Language;

    use super::stop;
    use crate::site::{Extent, Site};
    use crate::trim::tests::site;

    #[track_caller]
    fn check(language: Language, text: &str, expected: &str) {
        let site = Site { language: Some(language), ..site("f {\n    $0\n", Extent::Statement) };
        let kept = stop(&site, text).and_then(|at| text.get(..at)).unwrap_or(text);
        assert_eq!(kept, expected);
    }

    #[test]
    fn a_line_is_a_statement() {
        check(Language::Rust, "a();\n    b();\n", "a();");
        check(Language::Python, "a()\n    b()\n", "a()");
        check(Language::Go, "a := 1\n    b()\n", "a := 1");
        check(Language::TypeScript, "a()\n    b()\n", "a()");
        check(Language::Java, "int a = 1;\n    b();\n", "int a = 1;");
        check(Language::Ruby, "@a = 1\n    b\n", "@a = 1");
        check(Language::Lua, "local a = 1\n    b()\n", "local a = 1");
        check(Language::Bash, "a=1\n    b\n", "a=1");
        check(Language::Rust, "a();", "a();");
    }

    #[test]
    fn open_brackets_and_operators_go_on() {
        check(Language::Rust, "f(\n        a,\n    );\n    b();\n", "f(\n        a,\n    );");
        check(Language::Rust, "let a = b\n        .c();\n    d();\n", "let a = b\n        .c();");
        check(Language::Rust, "#[x]\n    let a = 1;\n    d();\n", "#[x]\n    let a = 1;");
        check(Language::Rust, "// Why.\n    a();\n    d();\n", "// Why.\n    a();");
        check(Language::Python, "a = b + \\\n        c\n    d()\n", "a = b + \\\n        c");
        check(Language::Python, "a = \"\"\"b\n    c\"\"\"\n    d()\n", "a = \"\"\"b\n    c\"\"\"");
        check(Language::JavaScript, "const a =\n      1\n    b\n", "const a =\n      1");
        check(Language::JavaScript, "i++\n    b\n", "i++");
        check(Language::Python, "brand\n    b\n", "brand");
    }

    #[test]
    fn a_block_belongs_to_the_line_that_opens_it() {
        check(
            Language::Rust,
            "if a {\n        b();\n    } else {\n        c();\n    }\n    d();\n",
            "if a {\n        b();\n    } else {\n        c();\n    }",
        );
        check(
            Language::Python,
            "if a:\n        b()\n    elif c:\n        d()\n    e()\n",
            "if a:\n        b()\n    elif c:\n        d()",
        );
        check(
            Language::Python,
            "for a in b:\n        c()\n    el",
            "for a in b:\n        c()\n    el",
        );
        check(Language::Python, "for a in b:\n        c()\n    ex(", "for a in b:\n        c()");
        check(
            Language::Ruby,
            "a.each do |b|\n      c\n    end\n    d\n",
            "a.each do |b|\n      c\n    end",
        );
        check(
            Language::Lua,
            "if a then\n      b()\n    else\n      c()\n    end\n    d()\n",
            "if a then\n      b()\n    else\n      c()\n    end",
        );
        check(
            Language::Bash,
            "for a in b; do\n      c\n    done\n    d\n",
            "for a in b; do\n      c\n    done",
        );
    }

    #[test]
    fn elsewhere_it_says_nothing() {
        for extent in [Extent::Line, Extent::Block] {
            assert_eq!(stop(&site("$0\n", extent), "a();\nb();\n"), None);
        }
    }
}
