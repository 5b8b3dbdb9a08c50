//! Holes cut in small repositories.

use super::*;

/// Writes files and cuts holes of a kind in them.
fn cut_in(files: &[(&str, &str)], kind: Kind, n_each: usize, seed: u64) -> Vec<Hole> {
    let directory = tempfile::tempdir().expect("a directory");
    for (path, text) in files {
        let path = directory.path().join("repository").join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    let config = CutConfig {
        kinds: vec![kind],
        languages: Vec::new(),
        n_each,
        seed,
        set_directory: directory.path().to_owned(),
        inline_files: false,
    };
    cut(&[directory.path().join("repository")], &config).expect("a repository")
}

const SHAPE: &str = "\
//! Shapes and their areas.

pub fn area(width: u32, height: u32) -> u32 {
    let product = checked(width, height);
    // The product of both.
    product
}

fn main() {
    println!(\"{}\", area(2, 3));
}
";

/// References of all holes of a kind, in the order of the text.
#[track_caller]
fn check(path: &str, text: &str, kind: Kind, expected: &[&str]) {
    let mut holes = cut_in(&[(path, text)], kind, 99, 0);
    holes.sort_by_key(|hole| hole.prompt.len());
    for hole in &holes {
        assert_eq!(format!("{}{}{}", hole.prompt, hole.reference, hole.suffix), text);
    }
    let found: Vec<&str> = holes.iter().map(|hole| hole.reference.as_str()).collect();
    assert_eq!(found, expected);
}

#[test]
fn whole_lines_are_lines_of_code() {
    check(
        "a.rs",
        SHAPE,
        Kind::WholeLine,
        &[
            "pub fn area(width: u32, height: u32) -> u32 {",
            "let product = checked(width, height);",
            "product",
            "fn main() {",
            "println!(\"{}\", area(2, 3));",
        ],
    );
}

#[test]
fn blocks_are_bodies_of_functions() {
    check(
        "a.rs",
        SHAPE,
        Kind::Block,
        &[
            "let product = checked(width, height);\n    // The product of both.\n    product",
            "println!(\"{}\", area(2, 3));",
        ],
    );
    check(
        "a.py",
        "class A:\n    def f(self):\n        x = self.y\n        return x\n\n    def g(self): return 1\n",
        Kind::Block,
        &["x = self.y\n        return x"],
    );
    check("a.go", "package a\n\nfunc f() int {\n\treturn 12\n}\n", Kind::Block, &["return 12"]);
}

#[test]
fn arguments_are_what_calls_are_passed() {
    check("a.rs", SHAPE, Kind::Arguments, &["width, height"]);
    check(
        "a.ts",
        "foo(first, bar(second), 1);\n",
        Kind::Arguments,
        &["first, bar(second), 1", "second"],
    );
}

#[test]
fn cross_file_holes_begin_with_a_name_of_another_file() {
    let shape = "pub struct Shape;\n\npub fn measure(shape: &Shape) -> u32 {\n    1\n}\n";
    let user = "use crate::shape::{Shape, measure};\n\nfn local() {}\n\nfn f(one: Shape) {\n    local();\n    let size = measure(&one);\n    measure(&one);\n}\n";
    let other = "fn unrelated() {}\nfn local() {}\n";
    let files = [
        ("shape.rs", shape),
        ("user.rs", user),
        ("other.rs", other),
        ("m.py", "def unrelated(): pass\n"),
    ];
    let mut holes = cut_in(&files, Kind::CrossFile, 99, 0);
    holes.sort_by_key(|hole| (hole.path.clone(), hole.prompt.len()));
    let found: Vec<_> =
        holes.iter().map(|hole| (hole.path.as_deref(), hole.reference.as_str())).collect();
    assert_eq!(found, [(Some("user.rs"), "Shape) {"), (Some("user.rs"), "measure(&one);")]);
}

#[test]
fn the_rest_of_a_line_begins_behind_a_token() {
    for seed in 0..20 {
        for hole in cut_in(&[("a.rs", SHAPE)], Kind::RestOfLine, 99, seed) {
            let line = hole.prompt.rsplit('\n').next().expect("a line");
            assert!(!line.trim().is_empty(), "{hole:?}");
            assert!(hole.suffix.starts_with('\n'), "{hole:?}");
            let edge = (line.chars().next_back(), hole.reference.chars().next());
            let (Some(left), Some(right)) = edge else { panic!("{hole:?}") };
            assert!(!(left.is_alphanumeric() && right.is_alphanumeric()), "{hole:?}");
        }
    }
}

#[test]
fn a_seed_decides() {
    let ids = |seed| -> Vec<String> {
        let holes =
            cut_in(&[("a.rs", SHAPE), ("b.py", "x = foo(1, 2)\n")], Kind::RestOfLine, 2, seed);
        holes.into_iter().map(|hole| hole.id).collect()
    };
    assert_eq!(ids(3), ids(3));
    assert!((0..9).any(|seed| ids(seed) != ids(3)));
    assert!(ids(3).iter().all(|id| id.starts_with("repository/")));
}

#[test]
fn holes_are_balanced_over_files_and_languages() {
    let long = "let value = compute(1);\n".repeat(40).replace("value", "v");
    let numbered: String =
        (0..40).map(|idx| format!("let v{idx} = compute({idx}, 1);\n")).collect();
    let files = [
        ("a.js", numbered.as_str()),
        ("b.js", "const only = 1;\n"),
        ("c.py", "one = f(1)\n"),
        ("d.js", &long),
    ];
    let holes = cut_in(&files, Kind::WholeLine, 3, 0);
    let paths: Vec<_> = holes.iter().filter_map(|hole| hole.path.as_deref()).collect();
    assert_eq!(paths.len(), 4);
    assert!(paths[..2].contains(&"c.py"), "{paths:?}");
    for path in ["a.js", "b.js", "d.js"] {
        assert!(paths.contains(&path), "{paths:?}");
    }
}

#[test]
fn copies_made_files_and_ignored_files_make_no_holes() {
    let copied = "const first = compute(1, 2);\n";
    assert!(cut_in(&[("a.js", copied), ("dist/a.js", copied)], Kind::WholeLine, 9, 0).is_empty());
    assert_eq!(cut_in(&[("a.js", copied)], Kind::WholeLine, 9, 0).len(), 1);
    let made = format!("// Code generated by hand. DO NOT EDIT.\n{copied}");
    assert!(cut_in(&[("a.js", &made)], Kind::WholeLine, 9, 0).is_empty());
    assert!(
        cut_in(&[("a.js", copied), (".gitignore", "a.js\n")], Kind::WholeLine, 9, 0).is_empty()
    );
}

#[test]
fn roots_are_relative_to_the_set() {
    let holes = cut_in(&[("a.js", "const first = 1;\n")], Kind::WholeLine, 9, 0);
    assert_eq!(holes[0].root.as_deref(), Some(Path::new("repository")));
    assert_eq!(holes[0].id, "repository/a.js:1:1:whole-line");
}
