//! Items and statements around a caret.

use super::{caret, parse};
use crate::Language;

/// Kind, name, first line and comment of each item, innermost first.
#[track_caller]
fn check(language: Language, marked: &str, expected: &[(&str, &str, &str, Option<&str>)]) {
    let (text, offset) = caret(marked);
    let items = parse(language, &text).items(offset);
    let found: Vec<_> = items
        .iter()
        .map(|item| {
            let first_line = text[item.range.clone()].lines().next().unwrap_or_default();
            let comment = item.comment.clone().map(|range| &text[range]);
            (item.kind.as_str(), item.name.as_deref().unwrap_or_default(), first_line, comment)
        })
        .collect();
    assert_eq!(found, expected, "{marked}");
}

#[test]
fn rust() {
    let function = ("function_item", "f", "#[inline]", Some("/// Doc.\n// more"));
    check(
        Language::Rust,
        "use a;\n/// Doc.\n// more\n#[inline]\n#[must_use]\npub fn f() {\n    $0\n}\n",
        &[function],
    );
    check(
        Language::Rust,
        "use a;\n/// Doc.\n// more\n$0#[inline]\n#[must_use]\npub fn f() {\n    b()\n}\n",
        &[function],
    );
    check(
        Language::Rust,
        "impl A {\n    $0fn f() {}\n}\n",
        &[("function_item", "f", "fn f() {}", None), ("impl_item", "A", "impl A {", None)],
    );
    check(
        Language::Rust,
        "struct A {\n    // it\n    b: u8,$0\n}",
        &[
            ("field_declaration", "b", "b: u8", Some("// it")),
            ("struct_item", "A", "struct A {", None),
        ],
    );
    check(Language::Rust, "// far\n\nfn f() {}$0\n", &[("function_item", "f", "fn f() {}", None)]);
    check(
        Language::Rust,
        "let a = 1; // not about f\nfn f() {$0}\n",
        &[("function_item", "f", "fn f() {}", None)],
    );
    check(Language::Rust, "use a$0::b;\n", &[]);
}

#[test]
fn python() {
    let text = "@cached\ndef f(x):\n    \"\"\"Doc.\"\"\"\n    $0return x\n";
    check(
        Language::Python,
        text,
        &[("function_definition", "f", "@cached", Some("\"\"\"Doc.\"\"\""))],
    );
    check(
        Language::Python,
        "class A:\n    def f(self):$0\n        pass\n",
        &[
            ("function_definition", "f", "def f(self):", None),
            ("class_definition", "A", "class A:", None),
        ],
    );
}

#[test]
fn other_languages() {
    use Language::{C, Go, JavaScript, TypeScript};
    check(
        JavaScript,
        "// Doc\nexport const f = async (x) => {\n  $0\n};\n",
        &[("variable_declarator", "f", "export const f = async (x) => {", Some("// Doc"))],
    );
    check(
        TypeScript,
        "export interface A {\n  b: $0string;\n}\n",
        &[
            ("property_signature", "b", "b: string", None),
            ("interface_declaration", "A", "export interface A {", None),
        ],
    );
    check(
        Go,
        "// A is it.\ntype A struct {\n\tb int$0\n}\n",
        &[
            ("field_declaration", "b", "b int", None),
            ("type_declaration", "A", "type A struct {", Some("// A is it.")),
        ],
    );
    check(
        C,
        "static int *f(int a)\n{\n    $0return 0;\n}\n",
        &[("function_definition", "f", "static int *f(int a)", None)],
    );
    check(
        C,
        "struct a { int $0b; };\n",
        &[
            ("field_declaration", "b", "int b;", None),
            ("struct_specifier", "a", "struct a { int b; }", None),
        ],
    );
}

#[test]
fn languages_of_the_second_row() {
    use Language::{Bash, CSharp, Cpp, Java, Lua, Ruby};
    check(
        Java,
        "/** Doc */\nclass A {\n  @Override\n  int f() {\n    return $01;\n  }\n}\n",
        &[
            ("method_declaration", "f", "@Override", None),
            ("class_declaration", "A", "class A {", Some("/** Doc */")),
        ],
    );
    check(
        Cpp,
        "template <class T>\nint A::f(T a) {\n  return $01;\n}\n",
        &[("function_definition", "A::f", "template <class T>", None)],
    );
    check(
        CSharp,
        "/// Doc\npublic int F() { return $01; }\n",
        &[("local_function_statement", "F", "public int F() { return 1; }", Some("/// Doc"))],
    );
    check(
        Ruby,
        "class A\n  # Doc\n  def f(x)\n    $0x\n  end\nend\n",
        &[("method", "f", "def f(x)", Some("# Doc")), ("class", "A", "class A", None)],
    );
    check(
        Lua,
        "-- Doc\nfunction f(x)\n  return $0x\nend\n",
        &[("function_declaration", "f", "function f(x)", Some("-- Doc"))],
    );
    check(
        Bash,
        "# Doc\nf() {\n  $0a\n}\n",
        &[("function_definition", "f", "f() {", Some("# Doc"))],
    );
}

#[track_caller]
fn check_statement(language: Language, marked: &str, expected: Option<&str>) {
    let (text, offset) = caret(marked);
    let found = parse(language, &text).statement_at(offset);
    assert_eq!(found.map(|range| &text[range]), expected, "{marked}");
}

#[test]
fn statements_are_as_large_as_they_can_be() {
    use Language::{Python, Rust};
    check_statement(Rust, "fn f() {\n$0    a.b().c();\n    d();\n}", Some("a.b().c();"));
    check_statement(Rust, "$0\n\nfn f() {\n}\n", Some("fn f() {\n}"));
    check_statement(Rust, "$0#[a]\nfn f() {\n}\n", Some("#[a]\nfn f() {\n}"));
    check_statement(
        Python,
        "def f():\n$0    if x:\n        y()\n    z()\n",
        Some("if x:\n        y()"),
    );
    check_statement(Rust, "fn f() {}\n$0", None);
}
