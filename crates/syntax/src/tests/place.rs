//! Code, comment or string.

use super::{caret, parse};
use crate::{Language, Place};

#[track_caller]
fn check(language: Language, marked: &str, expected: Place) {
    let (text, offset) = caret(marked);
    assert_eq!(parse(language, &text).place(offset), expected, "{marked}");
}

#[test]
fn rust() {
    let check = |marked, expected| check(Language::Rust, marked, expected);
    check("$0", Place::Code);
    check("fn f() { $0 }", Place::Code);
    check("fn f() { g(\"$0\"); }", Place::String);
    check("fn f() { g(\"é😀$0\"); }", Place::String);
    check("fn f() { g(\"\"$0); }", Place::Code);
    check("fn f() { g(r#\"a$0\"#); }", Place::String);
    check("fn f() { g(r#\"a\"#$0); }", Place::Code);
    check("fn f() { g('a$0'); }", Place::String);
    check("fn f<'a$0>() {}", Place::Code);
    check("// a$0", Place::Comment);
    check("// a$0\nfn f() {}", Place::Comment);
    check("/// a\n$0fn f() {}", Place::Code);
    check("/* a $0 */", Place::Comment);
    check("/* a */$0", Place::Code);
    check("/* a /* b */$0 */", Place::Comment);
}

#[test]
fn python() {
    let check = |marked, expected| check(Language::Python, marked, expected);
    check("x = 'a$0'", Place::String);
    check("x = 'a'$0", Place::Code);
    check("x = f'a{b$0}c'", Place::Code);
    check("x = f'a{b}$0c'", Place::String);
    check("x = f'a{b:>{w$0}}c'", Place::Code);
    check("x = f'a{g(\"b$0\")}c'", Place::String);
    check("def f():\n    \"\"\"doc\n    $0\n    \"\"\"\n", Place::String);
    check("x = 1  # a$0", Place::Comment);
    check("x = 1  # a\n$0", Place::Code);
}

#[test]
fn javascript_and_typescript() {
    for language in [Language::JavaScript, Language::Tsx, Language::TypeScript] {
        let check = |marked, expected| check(language, marked, expected);
        check("const a = `x${b$0}c`;", Place::Code);
        check("const a = `x$0${b}c`;", Place::String);
        check("const a = `x${b}$0c`;", Place::String);
        check("const a = `x${`y$0`}c`;", Place::String);
        check("const a = /re$0/g;", Place::String);
        check("const a = 'b$0';", Place::String);
        check("const a = 'b'$0;", Place::Code);
        check("f(); /* a */ $0", Place::Code);
        check("f(); // a$0", Place::Comment);
    }
    check(Language::TypeScript, "let a: string$0;", Place::Code);
    check(Language::TypeScript, "type A = `x${B$0}`;", Place::Code);
    check(Language::Tsx, "const a = <p class=\"b$0\">c</p>;", Place::String);
    check(Language::Tsx, "const a = <p>it's {b$0}</p>;", Place::Code);
}

#[test]
fn go_and_c() {
    check(Language::Go, "package a\nvar s = `a\n$0b`\n", Place::String);
    check(Language::Go, "package a\nvar s = 'a$0'\n", Place::String);
    check(Language::Go, "package a // b$0\n", Place::Comment);
    check(Language::C, "char *s = \"a\\n$0\";", Place::String);
    check(Language::C, "#include <std$0.h>\n", Place::String);
    check(Language::C, "int a; /* b$0\n */ int c;", Place::Comment);
    check(Language::C, "int a; // b\n$0int c;", Place::Code);
}

#[test]
fn what_is_being_typed_counts_before_it_parses() {
    check(Language::Rust, "fn f() {\n    let x = \"abc$0\n}\n", Place::String);
    check(Language::Rust, "fn f() { g('\"', \"a$0\n}\n", Place::String);
    check(Language::Rust, "fn f() { g('\"', a$0\n}\n", Place::Code);
    check(Language::Rust, "fn f() { let x: &'a str = a$0", Place::Code);
    check(Language::Rust, "fn f() { /* abc$0\n}\n", Place::Comment);
    check(Language::Python, "print(\"abc$0\n", Place::String);
    check(Language::Python, "print(\"abc\", $0\n", Place::Code);
    check(Language::Python, "print(f\"abc {x$0\n", Place::Code);
    check(Language::Python, "print(f\"abc {x} y$0\n", Place::String);
    check(Language::Python, "print(f\"abc {{x$0\n", Place::String);
    check(Language::Python, "print( # abc$0\n", Place::Comment);
    check(Language::Python, "y = (\n'it\\'s$0", Place::String);
    check(Language::JavaScript, "foo(`a ${b$0\n", Place::Code);
    check(Language::JavaScript, "foo(`a ${f({b$0})} c\n", Place::Code);
    check(Language::JavaScript, "foo(`a ${f({b})} c$0\n", Place::String);
    check(Language::JavaScript, "foo(1, // 'a$0\n", Place::Comment);
    check(Language::Go, "package a\nfunc f() {\n\tx := \"abc$0\n", Place::String);
    check(Language::C, "int main() {\n  puts(\"abc$0\n", Place::String);
    check(Language::C, "int main() {\n  puts(\"a // b\"$0\n", Place::Code);
}

#[test]
fn a_line_that_begins_inside_a_string_is_left_to_the_tree() {
    check(Language::Python, "x = '''a\nb''' + c$0\ny = (", Place::Code);
    check(Language::Python, "x = '''a\nb'c$0'''\ny = (", Place::String);
}
