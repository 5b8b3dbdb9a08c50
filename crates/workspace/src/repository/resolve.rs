//! From an import to the files that it most likely means, by the conventions of each language.

use syntax::Language;

use crate::index::segment::stem;
use crate::repository::{File, ImportOf, Repository};

/// More files than this is no answer.
const MAX_FOUND: usize = 16;

impl<'a> Repository<'a> {
    /// Files of the repository that `import` of `from` most likely takes from, best first; none for what lies outside of it.
    ///
    /// No build file is read: relative paths are followed, and other paths are matched against the ends of the paths there are.
    pub fn resolve<'r>(&'r self, from: File<'r>, import: ImportOf<'r>) -> Vec<File<'r>> {
        let names: Vec<&str> = import.names().map(|(name, _)| name).collect();
        let mut found = match from.language() {
            Some(language) => self.resolve_from(from.path(), language, import.path(), &names),
            None => Vec::new(),
        };
        found.retain(|file| *file != from);
        found.truncate(MAX_FOUND);
        found
    }

    /// As [`Self::resolve`] for a file that is in no repository, as one that is being edited: by its path relative to the root, and by what
    /// its import says.
    pub fn resolve_from<'r>(
        &'r self,
        from: &str,
        language: Language,
        path: &str,
        names: &[&str],
    ) -> Vec<File<'r>> {
        let mut found = self.resolve_in(language, from, path, names);
        found.retain(|file| file.path() != from);
        found.truncate(MAX_FOUND);
        found
    }

    fn resolve_in<'r>(
        &'r self,
        language: Language,
        from: &str,
        path: &str,
        names: &[&str],
    ) -> Vec<File<'r>> {
        match language {
            Language::Rust => self.rust(from, path, names),
            Language::Python => self.python(from, path, names),
            Language::JavaScript | Language::Tsx | Language::TypeScript => {
                self.ecmascript(from, path)
            }
            Language::Go => self.folder(from, path, "go"),
            Language::C | Language::Cpp => self.header(from, path),
            Language::Java => self.java(from, path, names),
            Language::CSharp => self.folder(from, &path.replace('.', "/"), "cs"),
            Language::Ruby => self.relative_or_suffix(from, path, &[".rb"]),
            Language::Lua => {
                let path = path.replace('.', "/");
                self.relative_or_suffix(from, &path, &[".lua", "/init.lua"])
            }
            Language::Bash => {
                self.relative_or_suffix(from, path.trim_start_matches("$(dirname"), &[""])
            }
        }
    }

    /// `crate::a::b` is `a/b.rs` or `a/b/mod.rs` in the sources of the crate; other paths begin with the name of a crate.
    fn rust<'r>(&'r self, from: &str, path: &str, names: &[&str]) -> Vec<File<'r>> {
        let mut parts: Vec<&str> = path.split("::").filter(|part| !part.is_empty()).collect();
        let Some(first) = parts.first().copied() else { return Vec::new() };
        let folder = folder_of(from);
        let source = source_folder(folder);
        // The modules below a file lie in a folder of its name, unless it stands for its own folder.
        let own = match stem(from) {
            "lib" | "main" | "mod" => folder.to_owned(),
            stem => join(folder, stem),
        };
        let base = match first {
            "crate" => {
                parts.remove(0);
                source.to_owned()
            }
            "self" => {
                parts.remove(0);
                own
            }
            "super" => {
                let mut base = own;
                while parts.first() == Some(&"super") {
                    parts.remove(0);
                    base = folder_of(&base).to_owned();
                }
                base
            }
            name => {
                if let found @ [_, ..] = self.rust_module(&own, &parts, names).as_slice() {
                    return found.to_vec();
                }
                let name = name.replace('_', "-");
                let root =
                    self.with_stem("lib").into_iter().map(|file| folder_of(file.path())).find(
                        |folder| {
                            let package = folder_of(folder);
                            let package =
                                package.rsplit('/').next().unwrap_or(package).replace('_', "-");
                            // Vendored packages have their version in the name of their folder.
                            package == name || package.strip_prefix(&name).is_some_and(is_version)
                        },
                    );
                let Some(root) = root else { return Vec::new() };
                parts.remove(0);
                root.to_owned()
            }
        };
        self.rust_module(&base, &parts, names)
    }

    /// The file of the longest head of `parts` below `base`, and those of `names` that are modules.
    fn rust_module<'r>(&'r self, base: &str, parts: &[&str], names: &[&str]) -> Vec<File<'r>> {
        let module = |path: &str| {
            self.file_at(&format!("{path}.rs")).or_else(|| self.file_at(&format!("{path}/mod.rs")))
        };
        let mut found = Vec::new();
        let whole = join(base, &parts.join("/"));
        found.extend(names.iter().filter_map(|name| module(&join(&whole, name))));
        for n in (0..=parts.len()).rev() {
            let head = join(base, &parts.get(..n).unwrap_or_default().join("/"));
            let file = match n {
                0 if !found.is_empty() || parts.len() > 1 => None,
                0 => self
                    .file_at(&join(&head, "lib.rs"))
                    .or_else(|| self.file_at(&join(&head, "main.rs")))
                    .or_else(|| module(&head)),
                _ => module(&head),
            };
            if let Some(file) = file {
                found.push(file);
                break;
            }
        }
        found
    }

    /// Dots before a path climb; other paths are matched by their ends. Names may be modules of a package.
    fn python<'r>(&'r self, from: &str, path: &str, names: &[&str]) -> Vec<File<'r>> {
        let n_dots = path.len() - path.trim_start_matches('.').len();
        let module = path.trim_start_matches('.').replace('.', "/");
        let endings = [".py", ".pyi", "/__init__.py", "/__init__.pyi"];
        let candidates = names.iter().map(|name| join(&module, name)).chain([module.clone()]);
        let mut found = Vec::new();
        for candidate in candidates {
            if n_dots == 0 {
                found.extend(self.suffix(from, &candidate, &endings));
                continue;
            }
            let mut base = folder_of(from);
            for _ in 1..n_dots {
                base = folder_of(base);
            }
            let path = join(base, &candidate);
            found
                .extend(endings.iter().find_map(|ending| self.file_at(&format!("{path}{ending}"))));
        }
        found
    }

    /// Relative paths with or without an extension, or the folder of an index file; other paths by their ends, as aliases like `@/` have them.
    fn ecmascript<'r>(&'r self, from: &str, path: &str) -> Vec<File<'r>> {
        let endings = [
            "",
            ".ts",
            ".tsx",
            ".d.ts",
            ".js",
            ".jsx",
            ".mjs",
            ".cjs",
            ".mts",
            ".cts",
            "/index.ts",
            "/index.tsx",
            "/index.js",
            "/index.mjs",
            "/index.jsx",
            "/index.d.ts",
            "/src/index.ts",
            "/src/index.js",
        ];
        // TypeScript imports the file that will be compiled.
        let bare =
            [".js", ".mjs", ".cjs", ".jsx"].iter().find_map(|ending| path.strip_suffix(ending));
        let mut found = self.relative_or_suffix(from, path, &endings);
        if found.is_empty()
            && let Some(bare) = bare
        {
            found = self.relative_or_suffix(from, bare, &endings);
        }
        found
    }

    /// Beside the file, or at the end of any path.
    fn header<'r>(&'r self, from: &str, path: &str) -> Vec<File<'r>> {
        match self.file_at(&normal(&join(folder_of(from), path))) {
            Some(file) => vec![file],
            None => self.suffix(from, path, &[""]),
        }
    }

    /// A class lies in a file of its name, in a folder of its package.
    fn java<'r>(&'r self, from: &str, path: &str, names: &[&str]) -> Vec<File<'r>> {
        let folder = path.replace('.', "/");
        if names.is_empty() {
            let package = self.folder(from, &folder, "java");
            return match package.is_empty() {
                true => self.suffix(from, &folder, &[".java"]),
                false => package,
            };
        }
        let mut found = Vec::new();
        for name in names {
            found.extend(self.suffix(from, &join(&folder, name), &[".java"]));
        }
        // A static import names a member of a class.
        if found.is_empty() {
            found = self.suffix(from, &folder, &[".java"]);
        }
        found
    }

    /// Files with an extension in the folder whose path has the longest common end with `path`, of two parts or all of them.
    fn folder<'r>(&'r self, from: &str, path: &str, extension: &str) -> Vec<File<'r>> {
        let wanted: Vec<&str> = path.split('/').collect();
        let mut best: Vec<File<'r>> = Vec::new();
        let mut best_common = 0;
        let name = wanted.last().copied().unwrap_or_default();
        for file in self.in_folders_named(name) {
            let path = file.path();
            let Some((folder, name)) = path.rsplit_once('/') else { continue };
            if name.rsplit_once('.').is_none_or(|(_, ending)| ending != extension)
                || name.ends_with("_test.go")
            {
                continue;
            }
            let common =
                folder.rsplit('/').zip(wanted.iter().rev()).take_while(|(a, b)| a == *b).count();
            let is_whole = common == folder.split('/').count() && 0 < common;
            if common < best_common.max(1) || !(is_whole || common == wanted.len() || 2 <= common) {
                continue;
            }
            if best_common < common {
                best_common = common;
                best.clear();
            }
            best.push(file);
        }
        sort_near(&mut best, from);
        best
    }

    fn relative_or_suffix<'r>(&'r self, from: &str, path: &str, endings: &[&str]) -> Vec<File<'r>> {
        if path.starts_with("./") || path.starts_with("../") || path == "." || path == ".." {
            let path = normal(&join(folder_of(from), path));
            let found = endings
                .iter()
                .find_map(|ending| self.file_at(format!("{path}{ending}").trim_start_matches('/')));
            return found.into_iter().collect();
        }
        let path = path.trim_start_matches(['@', '~', '#']).trim_start_matches('/');
        self.suffix(from, path, endings)
    }

    /// Files whose path ends with `path` and one of `endings`, those near `from` first.
    fn suffix<'r>(&'r self, from: &str, path: &str, endings: &[&str]) -> Vec<File<'r>> {
        let mut found: Vec<File<'r>> = Vec::new();
        for ending in endings {
            let wanted = format!("{path}{ending}");
            let wanted = wanted.trim_start_matches('/');
            for file in self.with_stem(stem(wanted)) {
                let is_end = file
                    .path()
                    .strip_suffix(wanted)
                    .is_some_and(|rest| rest.is_empty() || rest.ends_with('/'));
                if is_end && !found.contains(&file) {
                    found.push(file);
                }
            }
        }
        sort_near(&mut found, from);
        found
    }
}

/// By how much of the path is that of `from`, then by length and name.
fn sort_near(files: &mut [File<'_>], from: &str) {
    let folder = folder_of(from);
    let common = |file: &File<'_>| {
        file.path()
            .split('/')
            .zip(folder.split('/'))
            .take_while(|(left, right)| left == right)
            .count()
    };
    files.sort_by(|left, right| {
        common(right)
            .cmp(&common(left))
            .then_with(|| left.path().len().cmp(&right.path().len()))
            .then_with(|| left.cmp(right))
    });
}

/// `-1.2.3`, as vendored packages have it behind their name.
fn is_version(rest: &str) -> bool {
    rest.strip_prefix('-')
        .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The folder of sources of a package: up to the last `src`, or the folder itself.
fn source_folder(folder: &str) -> &str {
    let mut end = None;
    let mut at = 0;
    for part in folder.split('/') {
        at += part.len();
        if part == "src" {
            end = Some(at);
        }
        at += 1;
    }
    end.and_then(|end| folder.get(..end)).unwrap_or(folder)
}

fn join(folder: &str, path: &str) -> String {
    match (folder.is_empty(), path.is_empty()) {
        (true, _) => path.to_owned(),
        (_, true) => folder.to_owned(),
        _ => format!("{folder}/{path}"),
    }
}

/// Without `.` and `..`.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}
