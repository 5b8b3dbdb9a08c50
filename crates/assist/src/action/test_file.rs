//! Where tests of a file belong by the custom of its language, and the change that puts them there.

use std::io;
use std::path::{Path, PathBuf};

use syntax::{Language, n_errors};
use text::{Buffer, Edit};
use workspace::{Document, Snapshot};

use crate::action::change::{Change, Concern, Target};
use crate::action::hole::indent_unit;
use crate::action::refusal::Refusal;
use crate::action::{fit, parses};

/// The file for tests of `path`, which may not exist; `None` for Rust, whose tests stand in the file itself.
fn conventional(
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

/// The change that puts `tests` of what stands in `path`, which is open as `document`, to where tests of this language belong.
pub(crate) fn placed(
    snapshot: &Snapshot,
    document: &Document,
    language: Language,
    path: &Path,
    tests: &str,
) -> Result<Change, Refusal> {
    match conventional(language, path, &|path| snapshot.is_folder(path)) {
        Some(file) => appended(snapshot, language, &file, tests),
        None => Ok(in_module(document, tests)),
    }
}

/// At the end of a file that is open, on disk, or yet to be created.
fn appended(
    snapshot: &Snapshot,
    language: Language,
    file: &Path,
    tests: &str,
) -> Result<Change, Refusal> {
    let open = snapshot.documents().find(|document| document.path.as_deref() == Some(file));
    let (target, before) = match open {
        Some(open) => {
            let target = Target::Open { document: open.id.clone(), version: open.version };
            (target, open.buffer.clone())
        }
        None => {
            let text = match snapshot.read(file) {
                Ok(text) => Some(text),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(_) => return Err(Refusal::UnreadableTestFile),
            };
            let target = Target::File { path: file.to_owned(), exists: text.is_some() };
            (target, Buffer::from(text.unwrap_or_default().as_str()))
        }
    };
    let gap = if before.is_empty() { "" } else { "\n\n" };
    Ok(change_at_end(language, target, before, &format!("{gap}{tests}\n")))
}

fn change_at_end(language: Language, target: Target, before: Buffer, text: &str) -> Change {
    let text = text.replace('\n', before.line_ending().as_str());
    let edits = vec![Edit { range: before.len()..before.len(), text }];
    let mut change = Change { target, before, edits, concern: None };
    if n_errors(language, &change.before.to_string())
        < n_errors(language, &change.after().to_string())
    {
        change.concern = Some(Concern::NoLongerParses);
    }
    change
}

/// At the end of the module `tests` of a Rust file, which is made where there is none.
fn in_module(document: &Document, tests: &str) -> Change {
    let target = Target::Open { document: document.id.clone(), version: document.version };
    let buffer = &document.buffer;
    let tests = without_module(tests);
    let unit = indent_unit(buffer);
    let tests = format!("{unit}{}", fit::indented(&tests, buffer, &unit));
    let text = buffer.to_string();
    let module = text.find("mod tests {").and_then(|at| {
        let items = document.tree()?.items(at);
        let body = items.into_iter().find(|item| item.name.as_deref() == Some("tests"))?.body?;
        body.end.checked_sub(1)
    });
    let Some(end) = module else {
        let text = format!("\n#[cfg(test)]\nmod tests {{\n{unit}use super::*;\n\n{tests}\n}}\n");
        return change_at_end(Language::Rust, target, buffer.clone(), &text);
    };
    let text = format!("\n{tests}\n").replace('\n', buffer.line_ending().as_str());
    let edits = vec![Edit { range: end..end, text }];
    let concern = parses::concern(document.tree(), buffer, &edits);
    Change { target, before: buffer.clone(), edits, concern }
}

/// Tests without the module that the model put around them, and without its import of what is around that.
fn without_module(tests: &str) -> String {
    let inner = tests.find("mod tests").and_then(|at| {
        let start = at + tests.get(at..)?.find('{')? + 1;
        tests.get(start..tests.rfind('}')?)
    });
    let lines = inner.unwrap_or(tests).lines().filter(|line| line.trim() != "use super::*;");
    let kept: Vec<&str> = lines.collect();
    fit::dedented(kept.join("\n").trim_matches('\n').trim_end())
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
