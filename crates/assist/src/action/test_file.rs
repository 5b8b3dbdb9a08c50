//! Where tests of a file belong by the custom of its language.

use std::path::{Path, PathBuf};

use syntax::Language;

/// The file for tests of `path`, which may not exist; `None` for Rust, whose tests stand in the file itself.
pub(crate) fn conventional(
    language: Language,
    path: &Path,
    is_folder: &dyn Fn(&Path) -> bool,
) -> Option<PathBuf> {
    let stem = path.file_stem()?.to_str()?;
    let extension = path.extension().and_then(|it| it.to_str()).unwrap_or_default();
    let folder = path.parent()?;
    let near = |names: &[&str]| {
        folder
            .ancestors()
            .take(3)
            .flat_map(|above| names.iter().map(|name| above.join(name)))
            .find(|it| is_folder(it))
    };
    let file = match language {
        Language::Rust => return None,
        Language::Python => near(&["tests", "test"])
            .unwrap_or_else(|| folder.to_owned())
            .join(format!("test_{stem}.py")),
        Language::Go => folder.join(format!("{stem}_test.go")),
        Language::JavaScript | Language::Tsx | Language::TypeScript => {
            let own = folder.join("__tests__");
            if is_folder(&own) { own } else { folder.to_owned() }
                .join(format!("{stem}.test.{extension}"))
        }
        Language::Java => in_test_tree(folder).join(format!("{stem}Test.java")),
        Language::CSharp => folder.join(format!("{stem}Tests.cs")),
        Language::Ruby => match near(&["spec"]) {
            Some(spec) => spec.join(format!("{stem}_spec.rb")),
            None => {
                near(&["test"]).unwrap_or_else(|| folder.to_owned()).join(format!("test_{stem}.rb"))
            }
        },
        Language::Lua => {
            near(&["spec"]).unwrap_or_else(|| folder.to_owned()).join(format!("{stem}_spec.lua"))
        }
        Language::C | Language::Cpp | Language::Bash => near(&["tests", "test"])
            .unwrap_or_else(|| folder.to_owned())
            .join(format!("test_{stem}.{extension}")),
    };
    Some(file)
}

/// `src/test/...` beside `src/main/...`, as Maven and Gradle have it.
fn in_test_tree(folder: &Path) -> PathBuf {
    let mut parts: Vec<_> = folder.components().map(|it| it.as_os_str().to_owned()).collect();
    let main = (1..parts.len()).rev().find(|&at| {
        parts.get(at).is_some_and(|it| it == "main")
            && parts.get(at - 1).is_some_and(|it| it == "src")
    });
    if let Some(part) = main.and_then(|at| parts.get_mut(at)) {
        *part = "test".into();
    }
    parts.iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(language: Language, path: &str, expected: Option<&str>) {
        check_beside(&[], language, path, expected);
    }

    #[track_caller]
    fn check_beside(folders: &[&str], language: Language, path: &str, expected: Option<&str>) {
        let is_folder = |path: &Path| folders.iter().any(|folder| Path::new(folder) == path);
        let found = conventional(language, Path::new(path), &is_folder);
        assert_eq!(found, expected.map(PathBuf::from));
    }

    #[test]
    fn by_language() {
        use Language::{Go, Java, Python, Rust, TypeScript};
        check(Rust, "/none/src/a.rs", None);
        check(Python, "/none/a.py", Some("/none/test_a.py"));
        check(Go, "/none/a.go", Some("/none/a_test.go"));
        check(TypeScript, "/none/a.ts", Some("/none/a.test.ts"));
        let python = "/p/src/shapes/area.py";
        check_beside(&["/p/tests"], Python, python, Some("/p/tests/test_area.py"));
        check_beside(
            &["/p/src/test", "/p/tests"],
            Python,
            python,
            Some("/p/src/test/test_area.py"),
        );
        check_beside(&["/p/__tests__"], TypeScript, "/p/a.ts", Some("/p/__tests__/a.test.ts"));
        check(Java, "/none/src/main/java/x/A.java", Some("/none/src/test/java/x/ATest.java"));
    }
}
