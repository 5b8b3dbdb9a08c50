//! Empty bodies.

use super::{caret, parse};
use crate::Language;

#[track_caller]
fn check(language: Language, marked: &str, expected: bool) {
    let (text, offset) = caret(marked);
    assert_eq!(parse(language, &text).caret_in_empty_body(offset), expected, "{marked}");
}

#[test]
fn rust() {
    let check = |marked, expected| check(Language::Rust, marked, expected);
    check("fn f() {\n    $0\n}\n", true);
    check("fn f() {$0\n}\n", true);
    check("fn f() {$0}\n", true);
    check("fn f() {\n$0\n}\n", true);
    check("fn f() {\n    // größe 😀\n    $0\n}\n", true);
    check("fn f() {\n    $0\n    // later\n}\n", true);
    check("fn f() {\r\n    $0\r\n}\r\n", true);
    check("fn f() {\r    $0\r}\r", true);
    check("impl A {\n    fn f() {\n        $0\n    }\n}\n", true);
    check("impl A {\n    $0\n}\n", true);
    check("fn f() { match a {\n    $0\n} }\n", true);
    check("fn f() {\n    a();\n    $0\n}\n", false);
    check("fn f() {\n    $0\n    a();\n}\n", false);
    check("fn f() {\n$0\na();\n}\n", false);
    check("fn f() {\n    a$0\n}\n", false);
    check("fn f() {\n    $0a\n}\n", false);
    check("fn f() {\n    // a$0\n}\n", false);
    check("fn f() {\n    let a = A {\n        $0\n    };\n}\n", false);
    check("use a::{\n    $0\n};\n", false);
    check("fn f() {}\n$0\n", false);
    check("$0", false);
    check("fn f() { g(\"{$0\") }", false);
}

#[test]
fn blocks_that_are_not_closed_yet() {
    check(Language::Rust, "fn f() {\n    $0", true);
    check(Language::Rust, "fn f() {\n    $0\n\nfn g() {}\n", true);
    check(Language::Rust, "impl A {\n    fn f() {\n        $0\n\n    fn g() {}\n}\n", true);
    check(Language::Rust, "fn f() {\n    $0\n\n    g();\n", false);
    check(Language::JavaScript, "function f() {\n  $0\n", true);
    check(Language::Go, "package a\n\nfunc f() {\n\t$0\n\nfunc g() {\n\tf()\n}\n", true);
    check(Language::C, "int f(void) {\n  $0\n\nint g(void) { return 1; }\n", true);
}

#[test]
fn python() {
    let check = |marked, expected| check(Language::Python, marked, expected);
    check("def f():\n    $0\n", true);
    check("def f():$0\n", true);
    check("def f():\n    $0", true);
    check("def f(\n    a,\n):\n    $0\n", true);
    check("def f():\n    \"\"\"größe\"\"\"\n    $0\n", true);
    check("def f():\n    # größe 😀\n    $0\n\nx = 1\n", true);
    check("class A:\n    def f(self):\n        $0\n\n    def g(self):\n        pass\n", true);
    check("for x in y:\n    $0\n", true);
    check("if x:\n    $0\nelse:\n    pass\n", true);
    check("try:\n    a\nexcept E as e:\n    $0\n", true);
    check("match x:\n    case 1:\n        $0\n", true);
    check("def f():\r\n    $0\r\n", true);
    check("def f():\n    pass\n    $0\n", false);
    check("def f():\n    $0\n    pass\n", false);
    check("def f():\n    'a'\n    'b'\n    $0\n", false);
    check("def f():\n    a = {'b':\n        $0\n    }\n", false);
    check("x = y[1:\n    $0\n]\n", false);
    check("'''module'''\n$0\n", false);
    check("f = lambda:\n    $0\n", false);
    check("# def f():$0\n", false);
}

#[test]
fn others() {
    check(Language::TypeScript, "class A {\n  m(): void {\n    $0\n  }\n}\n", true);
    check(Language::TypeScript, "interface A {\n  $0\n}\n", true);
    check(Language::TypeScript, "const a = {\n  $0\n};\n", false);
    check(Language::TypeScript, "import {\n  $0\n} from 'a';\n", false);
    check(Language::Tsx, "const a = () => {\n  $0\n};\n", true);
    check(Language::Tsx, "const a = <p>{\n  $0\n}</p>;\n", false);
    check(Language::JavaScript, "switch (a) {\n  $0\n}\n", true);
    check(Language::Go, "package a\nfunc f() {\n\tif x {\n\t\t$0\n\t}\n}\n", true);
    check(Language::Go, "package a\nvar t = T{\n\t$0\n}\n", false);
    check(Language::C, "int f(void) {\n  while (1) {\n    $0\n  }\n}\n", true);
    check(Language::C, "int a[] = {\n  $0\n};\n", false);
    check(Language::C, "struct s {\n  $0\n};\n", true);
}

/// Every query at every offset of every snippet, whole and cut short: an answer, whatever it is.
#[test]
fn no_offset_is_too_odd() {
    for language in Language::ALL {
        let text = super::snippets::snippet(language);
        for cut in [text.len(), text.len() / 2, text.len() / 3] {
            let cut = (0..=cut).rev().find(|&at| text.is_char_boundary(at)).unwrap();
            let tree = parse(language, &text[..cut]);
            for offset in (0..cut + 3).chain([usize::MAX]) {
                tree.place(offset);
                tree.caret_in_empty_body(offset);
                assert!(tree.scopes(offset).iter().all(|scope| scope.range.end <= cut));
            }
        }
    }
}
