//! The settings of a session: where they come from while it runs, and what they say of a document.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use serde_json::Value;
use workspace::Exclusion;

use crate::Options;
use crate::config::{
    Config, Layer, Problem, Resolved, Source, read_user_file, read_workspace_file, resolve,
    resolve_in,
};

/// Settings for the files of one workspace folder, or for those of none.
#[derive(Debug)]
pub(crate) struct Scope {
    pub(crate) config: Config,
    excluded: Gitignore,
}

#[derive(Debug)]
pub(crate) struct Settings {
    user_file: Option<PathBuf>,
    command_line: Value,
    initialization: Value,
    client: Value,
    folders: Vec<(PathBuf, Arc<Scope>)>,
    elsewhere: Arc<Scope>,
    /// What the user has been told already.
    told: HashSet<String>,
}

impl Settings {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            user_file: options.user_file,
            command_line: options.command_line,
            initialization: Value::Null,
            client: Value::Null,
            folders: Vec::new(),
            elsewhere: Arc::new(Scope::new(Path::new(""), Config::default(), &mut Vec::new())),
            told: HashSet::new(),
        }
    }

    pub(crate) fn set_initialization(&mut self, options: Option<Value>) {
        let mut options = options.map_or(Value::Null, section);
        if let Some(fields) = options.as_object_mut() {
            // What clients of other completion servers say of themselves is no setting.
            fields.retain(|name, _| !matches!(name.as_str(), "editorInfo" | "editorPluginInfo"));
        }
        self.initialization = options;
    }

    /// What the client sent or answered for the section `dacapo`.
    pub(crate) fn set_client(&mut self, settings: Value) {
        self.client = section(settings);
    }

    /// Reads the files anew; gives what is wrong and was not said before.
    pub(crate) fn reload(&mut self, folders: &[PathBuf]) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut layers = vec![
            Layer { source: Source::Initialization, values: self.initialization.clone() },
            Layer { source: Source::Client, values: self.client.clone() },
            Layer { source: Source::CommandLine, values: self.command_line.clone() },
        ];
        match self.user_file.as_deref().map(read_user_file) {
            Some(Ok(layer)) => layers.extend(layer),
            Some(Err(problem)) => problems.push(problem),
            None => {}
        }
        let mut scope = |folder: &Path, resolved: Resolved| {
            let Resolved { config, problems: mut found, .. } = resolved;
            let scope = Arc::new(Scope::new(folder, config, &mut found));
            problems.extend(found);
            scope
        };
        self.elsewhere = scope(Path::new(""), resolve(&layers));
        let mut unread = Vec::new();
        self.folders = folders
            .iter()
            .map(|folder| {
                let mut layers = layers.clone();
                match read_workspace_file(folder) {
                    Ok(layer) => layers.extend(layer),
                    Err(problem) => unread.push(problem),
                }
                (folder.clone(), scope(folder, resolve_in(folder, &layers)))
            })
            .collect();
        problems.extend(unread);
        problems.retain(|problem| self.told.insert(problem.to_string()));
        problems
    }

    /// Settings for the file at `path`: those of the innermost folder around it.
    pub(crate) fn at(&self, path: Option<&Path>) -> &Arc<Scope> {
        innermost(&self.folders, path).unwrap_or(&self.elsewhere)
    }

    /// What `context.exclude` says of each file, as the settings now stand.
    pub(crate) fn exclusion(&self) -> Exclusion {
        let (folders, elsewhere) = (self.folders.clone(), Arc::clone(&self.elsewhere));
        Exclusion::new(move |path| {
            innermost(&folders, Some(path)).unwrap_or(&elsewhere).excludes(path)
        })
    }

    /// Settings of the session as a whole, such as `status` and `model.preload`: those of its first folder.
    pub(crate) fn session(&self) -> &Config {
        let scope = self.folders.first().map_or(&self.elsewhere, |(_, scope)| scope);
        &scope.config
    }
}

fn innermost<'a>(
    folders: &'a [(PathBuf, Arc<Scope>)],
    path: Option<&Path>,
) -> Option<&'a Arc<Scope>> {
    let around = folders
        .iter()
        .filter(|(folder, _)| path.is_some_and(|path| path.starts_with(folder)))
        .max_by_key(|(folder, _)| folder.as_os_str().len());
    around.map(|(_, scope)| scope)
}

impl Scope {
    fn new(folder: &Path, config: Config, problems: &mut Vec<Problem>) -> Self {
        let mut builder = GitignoreBuilder::new(folder);
        for pattern in &config.context.exclude {
            if let Err(error) = builder.add_line(None, pattern) {
                problems.push(Problem {
                    source: Source::Default,
                    key: "context.exclude".into(),
                    message: format!("{pattern:?} is no pattern: {error}"),
                });
            }
        }
        let excluded = builder.build().unwrap_or_else(|_| Gitignore::empty());
        Self { config, excluded }
    }

    /// Whether a file is neither completed nor shown to the model.
    pub(crate) fn excludes(&self, path: &Path) -> bool {
        // A pattern without a slash holds at any depth, so outside the folder the name decides.
        let inside = path.strip_prefix(self.excluded.path()).ok();
        let path = inside.or_else(|| path.file_name().map(Path::new)).unwrap_or(path);
        self.excluded.matched_path_or_any_parents(path, false).is_ignore()
    }
}

/// Clients send the section itself, or an object that holds it under its name.
fn section(mut settings: Value) -> Value {
    match settings.get_mut("dacapo") {
        Some(section) => section.take(),
        None => settings,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settings(client: Value, folders: &[&Path]) -> Settings {
        let mut settings = Settings::new(Options { user_file: None, command_line: Value::Null });
        settings.set_client(client);
        let folders: Vec<PathBuf> = folders.iter().map(|folder| folder.to_path_buf()).collect();
        assert_eq!(settings.reload(&folders), []);
        settings
    }

    #[track_caller]
    fn check_excluded(patterns: Value, path: &str, expected: bool) {
        let settings = settings(json!({"context": {"exclude": patterns}}), &[Path::new("/p")]);
        let path = Path::new(path);
        assert_eq!(settings.at(Some(path)).excludes(path), expected, "{}", path.display());
    }

    #[test]
    fn patterns_are_those_of_gitignore() {
        check_excluded(json!(["*.sql", "/made", "!keep.sql"]), "/p/a/b.sql", true);
        check_excluded(json!(["*.sql", "/made", "!keep.sql"]), "/p/a/keep.sql", false);
        check_excluded(json!(["/made"]), "/p/made/a.rs", true);
        check_excluded(json!(["/made"]), "/p/a/made/a.rs", false);
        check_excluded(json!(["*.sql"]), "/elsewhere/b.sql", true);
        check_excluded(json!([]), "/p/.env", true);
        check_excluded(json!([]), "/elsewhere/.env.local", true);
        check_excluded(json!([]), "/p/environment.rs", false);
    }

    #[test]
    fn the_innermost_folder_decides() {
        let outer = tempfile::tempdir().unwrap();
        let inner = outer.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(inner.join(".dacapo.toml"), "enabled = false").unwrap();
        let settings = settings(Value::Null, &[outer.path(), &inner]);
        assert!(settings.at(Some(&outer.path().join("a.rs"))).config.enabled);
        assert!(!settings.at(Some(&inner.join("a.rs"))).config.enabled);
        assert!(settings.at(None).config.enabled);
    }

    #[test]
    fn a_client_may_send_the_section_in_its_name() {
        for sent in [json!({"dacapo": {"enabled": false}}), json!({"enabled": false})] {
            assert!(!settings(sent, &[]).at(None).config.enabled);
        }
    }

    #[test]
    fn a_problem_is_said_once() {
        let mut settings = settings(Value::Null, &[]);
        settings.set_client(json!({"colour": "red"}));
        assert_eq!(settings.reload(&[]).len(), 1);
        assert_eq!(settings.reload(&[]), []);
    }
}
