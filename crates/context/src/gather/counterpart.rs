//! The tests of the caret's file, or the file that the caret's tests are for, found by their names.

use workspace::{Definition, File, Language, Repository, Scores, SymbolKind};

use crate::gather::Caret;
use crate::gather::excerpt::excerpt;
use crate::gather::focus::Focus;
use crate::gather::texts::Texts;
use crate::piece::PieceKind;
use crate::snippet::Snippet;

/// Files looked at, and pieces of them.
const MAX_FILES: usize = 2;
const MAX_FOUND: usize = 2;

pub(crate) fn find<'r, 's>(
    repository: &'r Repository<'r>,
    caret: &Caret<'_>,
    focus: &Focus,
    scores: &dyn Fn() -> &'s Scores,
    texts: &mut Texts<'r>,
) -> Vec<Snippet> {
    let mut found: Vec<Snippet> = own_tests(repository, caret, focus, texts).into_iter().collect();
    let files = files(repository, caret.path);
    if files.is_empty() {
        return found;
    }
    let of_files = scores()
        .best(repository, MAX_FOUND, |file| files.contains(&file))
        .into_iter()
        .filter_map(|(chunk, score)| {
            let cut = excerpt(texts.of(chunk.file())?, chunk.range())?;
            let (lines, text) = focus.nearest(&cut, caret.max_bytes)?;
            let path = chunk.file().path().to_owned();
            Some(Snippet { kind: PieceKind::Test, path, lines, text, score: f64::from(score) })
        });
    found.extend(of_files);
    found
}

/// The module of tests in the caret's own Rust file, where the repository has that file.
fn own_tests<'r>(
    repository: &'r Repository<'r>,
    caret: &Caret<'_>,
    focus: &Focus,
    texts: &mut Texts<'r>,
) -> Option<Snippet> {
    if caret.document.language != Some(Language::Rust) {
        return None;
    }
    let file = repository.file_at(caret.path)?;
    let is_module = |definition: &Definition<'r>| {
        definition.kind() == SymbolKind::Module && definition.name() == "tests"
    };
    let module = file.definitions().find(is_module)?;
    let cut = excerpt(texts.of(file)?, module.range())?;
    let (lines, text) = focus.nearest(&cut, caret.max_bytes / 2)?;
    let path = file.path().to_owned();
    Some(Snippet { kind: PieceKind::Test, path, lines, text, score: 1.0 })
}

fn files<'r>(repository: &'r Repository<'r>, path: &str) -> Vec<File<'r>> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let Some((stem, extension)) = name.split_once('.') else { return Vec::new() };
    let mut found: Vec<File<'r>> = Vec::new();
    for counterpart in counterparts(stem, extension) {
        for file in repository.named(&counterpart) {
            if file.path() != path && !found.contains(&file) {
                found.push(file);
            }
        }
    }
    let n_common = |file: &File<'_>| {
        let parts = file.path().split('/').zip(folder.split('/'));
        parts.take_while(|(one, other)| one == other).count()
    };
    found.sort_by_key(|file| std::cmp::Reverse(n_common(file)));
    found.truncate(MAX_FILES);
    found
}

/// Names of files that test the file of this name, or that it tests, by the conventions of its language.
fn counterparts(stem: &str, extension: &str) -> Vec<String> {
    let ending = extension.rsplit('.').next().unwrap_or(extension);
    let bare = extension.strip_prefix("test.").or_else(|| extension.strip_prefix("spec."));
    if let Some(bare) = bare {
        return vec![format!("{stem}.{bare}")];
    }
    let tested = ["_test", "_tests", "_spec", "Test", "Tests"]
        .iter()
        .find_map(|end| stem.strip_suffix(end))
        .or_else(|| stem.strip_prefix("test_"));
    if let Some(tested) = tested {
        return vec![format!("{tested}.{ending}")];
    }
    match ending {
        "py" => vec![format!("test_{stem}.py"), format!("{stem}_test.py")],
        "go" => vec![format!("{stem}_test.go")],
        "java" | "cs" => vec![format!("{stem}Test.{ending}"), format!("{stem}Tests.{ending}")],
        "rb" => vec![format!("{stem}_test.rb"), format!("{stem}_spec.rb")],
        "js" | "jsx" | "mjs" | "ts" | "tsx" | "mts" => {
            vec![format!("{stem}.test.{ending}"), format!("{stem}.spec.{ending}")]
        }
        "lua" => vec![format!("{stem}_spec.lua"), format!("{stem}_test.lua")],
        "sh" => vec![format!("test_{stem}.sh")],
        "c" | "cc" | "cpp" | "rs" => {
            vec![
                format!("{stem}_test.{ending}"),
                format!("{stem}_tests.{ending}"),
                format!("test_{stem}.{ending}"),
            ]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(stem: &str, extension: &str, expected: &str) {
        assert_eq!(counterparts(stem, extension).join(" "), expected);
    }

    #[test]
    fn tests_and_what_they_test_are_named_alike() {
        check("shape", "py", "test_shape.py shape_test.py");
        check("test_shape", "py", "shape.py");
        check("shape", "go", "shape_test.go");
        check("shape_test", "go", "shape.go");
        check("shape", "tsx", "shape.test.tsx shape.spec.tsx");
        check("shape", "test.ts", "shape.ts");
        check("ShapeTest", "java", "Shape.java");
        check("shape", "lua", "shape_spec.lua shape_test.lua");
        check("shape", "md", "");
    }
}
