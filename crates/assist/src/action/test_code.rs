//! Whether code is a test, by the custom of its language: a name, an attribute, or a call that a runner looks for.

use std::ops::Range;

use syntax::{Language, Place, SymbolKind, Tree};
use text::Buffer;

/// A word of code and what stands next to it.
struct Word<'a> {
    text: &'a str,
    /// The word before it, with nothing but white space between.
    before: &'a str,
    /// The character before it that is no white space.
    left: Option<char>,
    right: Option<char>,
    /// It is of the path of an attribute of Rust.
    in_attribute: bool,
}

/// Whether `code` holds a test, and not the thing named `subject` once more: models that are asked for tests of a function
/// write the function itself now and then, and what is tested then is a copy.
pub(crate) fn is_test_of(language: Language, code: &str, subject: Option<&str>) -> bool {
    let Some(tree) = Tree::parse(language, &Buffer::from(code)) else { return false };
    let ranges = word_ranges(code).into_iter();
    let mut words = ranges.filter(|range| tree.place(range.start + 1) == Place::Code);
    let holds_test = words.any(|range| is_mark(language, &word(code, range)));
    holds_test && !subject.is_some_and(|name| defines(&tree, code, name))
}

/// What a runner of tests looks for.
fn is_mark(language: Language, word: &Word<'_>) -> bool {
    let Word { text, before, left, right, in_attribute } = *word;
    let is_called = right == Some('(');
    let is_one_of = |names: &[&str]| names.contains(&text);
    match language {
        Language::Rust => {
            in_attribute && (text.contains("test") || text == "case")
                || text == "proptest" && right == Some('!')
        }
        Language::Python => {
            before == "def" && text.starts_with("test")
                || before == "class" && (text.starts_with("Test") || text.ends_with("Test"))
        }
        Language::Go => {
            let starts = ["Test", "Benchmark", "Fuzz", "Example"];
            before == "func" && starts.iter().any(|start| text.starts_with(start))
        }
        Language::JavaScript | Language::Tsx | Language::TypeScript => {
            let is_call = matches!(right, Some('(' | '.' | '`'));
            is_one_of(&["test", "it", "describe", "suite"]) && is_call && left != Some('.')
        }
        Language::Java => {
            left == Some('@') && (text.ends_with("Test") || is_one_of(&["TestFactory", "Property"]))
        }
        Language::CSharp => {
            let names = ["Test", "TestCase", "TestMethod", "DataTestMethod", "Fact", "Theory"];
            matches!(left, Some('[' | ',')) && is_one_of(&names)
        }
        Language::Ruby => {
            let opens = matches!(right, Some('"' | '\'' | '{' | '(' | 'd'));
            before == "def" && text.starts_with("test_")
                || is_one_of(&["it", "test", "specify", "describe"]) && opens && left != Some('.')
        }
        Language::Lua => {
            is_one_of(&["it", "describe", "test"]) && (is_called || right == Some('"'))
                || before == "function" && text.to_lowercase().starts_with("test")
        }
        Language::C | Language::Cpp => {
            is_called && (text.to_lowercase().contains("test") || text == "assert")
        }
        Language::Bash => {
            left == Some('@') && text == "test"
                || text.starts_with("test") && (is_called || before == "function")
        }
    }
}

/// Whether something of this name is defined that is no test itself, as a test may have the name of what it tests.
fn defines(tree: &Tree, code: &str, name: &str) -> bool {
    use SymbolKind::{Class, Enum, Function, Method, Struct};
    tree.outline().symbols.iter().any(|symbol| {
        let is_whole = symbol.body.is_some()
            && matches!(symbol.kind, Class | Enum | Function | Method | Struct);
        let before = code.get(..symbol.name_range.start).unwrap_or_default();
        // An attribute or annotation stands before it on the same line, or alone on the line above.
        let mut lines = before.rsplit('\n');
        let is_marked = lines.next().is_some_and(|line| line.contains(['@', '[']))
            || lines.next().is_some_and(|line| line.trim_start().starts_with(['#', '@', '[']));
        symbol.name == name && is_whole && !is_marked
    })
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn word_ranges(code: &str) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut at = 0;
    while let Some(rest) = code.get(at..).filter(|rest| !rest.is_empty()) {
        let Some(start) = rest.find(is_word) else { break };
        let rest = rest.get(start..).unwrap_or_default();
        let length = rest.find(|character| !is_word(character)).unwrap_or(rest.len());
        ranges.push(at + start..at + start + length);
        at += start + length;
    }
    ranges
}

fn word(code: &str, range: Range<usize>) -> Word<'_> {
    let before = code.get(..range.start).unwrap_or_default();
    let after = code.get(range.end..).unwrap_or_default();
    let trimmed = before.trim_end();
    let line = before.rsplit('\n').next().unwrap_or_default();
    Word {
        text: code.get(range).unwrap_or_default(),
        before: trimmed.rsplit(|character| !is_word(character)).next().unwrap_or_default(),
        left: trimmed.chars().next_back(),
        right: after.trim_start().chars().next(),
        in_attribute: line.rsplit_once("#[").is_some_and(|(_, path)| !path.contains([']', '('])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(language: Language, code: &str, expected: bool) {
        assert_eq!(is_test_of(language, code, Some("total")), expected, "{code}");
    }

    #[test]
    fn tests_are_known_by_what_their_runners_look_for() {
        use Language::{
            Bash, C, CSharp, Cpp, Go, Java, JavaScript, Lua, Python, Ruby, Rust, Tsx, TypeScript,
        };
        check(Rust, "#[test]\nfn adds() {\n    assert_eq!(total(), 1);\n}\n", true);
        check(Rust, "#[tokio::test]\nasync fn total() {}\n", true);
        check(Python, "def test_total():\n    assert total([1]) == 1\n", true);
        check(Python, "import unittest\n\nclass TestTotal(unittest.TestCase):\n    pass\n", true);
        check(Go, "func TestTotal(t *testing.T) {}\n", true);
        check(JavaScript, "test('adds', () => { expect(total([1])).toBe(1); });\n", true);
        check(TypeScript, "describe('total', () => { it('adds', () => {}); });\n", true);
        check(Tsx, "it.each([1])('adds %d', () => {});\n", true);
        check(Java, "class ATest { @Test void total() {} }\n", true);
        check(CSharp, "class ATests { [Fact] public void Adds() {} }\n", true);
        check(Ruby, "class ATest < Minitest::Test\n  def test_adds\n  end\nend\n", true);
        check(Ruby, "describe A do\n  it 'adds' do\n  end\nend\n", true);
        check(Lua, "describe('total', function() it('adds', function() end) end)\n", true);
        check(C, "int main(void) { assert(total(1) == 1); return 0; }\n", true);
        check(Cpp, "TEST(Total, Adds) { EXPECT_EQ(total(1), 1); }\n", true);
        check(Bash, "test_total() {\n  [ \"$(total 1)\" = 1 ]\n}\n", true);
    }

    #[test]
    fn the_code_itself_is_no_test() {
        use Language::{Bash, Go, JavaScript, Python, Rust};
        check(Rust, "fn total() -> u32 {\n    1\n}\n", false);
        check(Rust, "#[cfg(test)]\nmod tests {\n    use super::*;\n}\n", false);
        check(Rust, "#[derive(Debug)] struct Contest;\n", false);
        check(Rust, "// #[test]\nfn f() { \"#[test]\"; }\n", false);
        check(Python, "def total(prices):\n    \"\"\"def test_total\"\"\"\n    return 1\n", false);
        check(Python, "assert total([1]) == 1\n", false);
        check(Go, "func total() int { return 1 }\n", false);
        check(JavaScript, "pattern.test('a');\nconst it = 1;\n", false);
        check(Bash, "test -f a && echo a\n", false);
        // A test of a copy.
        check(
            Python,
            "def total(prices):\n    return 1\n\n\ndef test_total():\n    assert total([]) == 1\n",
            false,
        );
        check(Rust, "fn total() -> u32 { 1 }\n\n#[test]\nfn adds() { total(); }\n", false);
    }
}
