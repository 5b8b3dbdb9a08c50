//! The lines that name the repository and the file.

use syntax::Language;
use workspace::{Document, Snapshot};

use crate::encoder::Encoder;

/// Path of the document as the model is to see it: with forward slashes, from the root of its folder. A document on no
/// disk is called `untitled`, with the ending of its language, for a model reads the language off the path.
pub(crate) fn path(snapshot: &Snapshot, document: &Document) -> String {
    match (&document.path, document.language) {
        (Some(path), _) => snapshot.relative_path(path),
        (None, Some(language)) => format!("untitled.{}", extension(language)),
        (None, None) => "untitled".to_owned(),
    }
}

fn extension(language: Language) -> &'static str {
    match language {
        Language::Bash => "sh",
        Language::C => "c",
        Language::CSharp => "cs",
        Language::Cpp => "cpp",
        Language::Go => "go",
        Language::Java => "java",
        Language::JavaScript => "js",
        Language::Lua => "lua",
        Language::Python => "py",
        Language::Ruby => "rb",
        Language::Rust => "rs",
        Language::Tsx => "tsx",
        Language::TypeScript => "ts",
    }
}

/// The line that `written` makes of `path`, and its ids; leading folders are left out until it takes `n_tokens` at most.
/// `None` when even the file name alone does not fit.
pub(crate) fn header(
    path: &str,
    written: impl Fn(&str) -> String,
    encoder: Encoder<'_>,
    n_tokens: usize,
) -> Option<(String, Vec<u32>)> {
    let mut rest = path;
    loop {
        // No path of an ordinary file is longer, and a longer one need not be tokenised to see that.
        if rest.len() <= 4096 {
            let line = written(rest);
            let tokens = encoder.encode(&line);
            if tokens.len() <= n_tokens {
                return Some((line, tokens));
            }
        }
        rest = rest.split_once('/')?.1;
    }
}
