//! The code in what a model answers: out of fences, between chatter, behind its thoughts.

use syntax::{Language, n_errors};

/// Paragraphs at either end of an answer without fences that may be chatter.
const MAX_CHATTER: usize = 3;

/// `answer` without thoughts and calls of tools, closed or not.
pub(crate) fn words(answer: &str) -> String {
    // Some templates open the thoughts in the prompt, so that the answer only closes them.
    let answer = match answer.rsplit_once("</think>") {
        Some((_, behind)) => behind,
        None => answer,
    };
    let blocks =
        [("<think>", "</think>"), ("<tool_call>", "</tool_call>"), ("<function=", "</function>")];
    let mut text = answer.to_owned();
    for (open, close) in blocks {
        while let Some(start) = text.find(open) {
            let end = text.get(start..).and_then(|rest| rest.find(close));
            let end = end.map_or(text.len(), |end| start + end + close.len());
            text.replace_range(start..end, "");
        }
    }
    text.trim().to_owned()
}

/// The code in `answer`, line ends at its end left out; `None` when there is none. Of several fenced blocks, the first that
/// names `wanted`, else the longest.
pub(crate) fn code(
    answer: &str,
    language: Option<Language>,
    wanted: Option<&str>,
) -> Option<String> {
    let text = words(answer);
    let blocks = fenced(&text);
    if blocks.is_empty() && text.lines().any(|line| fence(line).is_some()) {
        return None;
    }
    let code = if blocks.is_empty() {
        without_chatter(&text, language)
    } else {
        let names = |block: &&String| wanted.is_some_and(|name| block.contains(name));
        let chosen = blocks
            .iter()
            .find(names)
            .or_else(|| blocks.iter().rev().max_by_key(|block| block.len()));
        chosen.cloned().unwrap_or_default()
    };
    let code = code.trim_end().trim_start_matches(['\n', '\r']).to_owned();
    (!code.trim().is_empty()).then_some(code)
}

/// Whether all that is asked for has been said: a fenced block that is closed.
pub(crate) fn is_complete(answer: &str) -> bool {
    let line = answer.trim_end().rsplit('\n').next().unwrap_or_default().trim();
    line.len() >= 3
        && (line.chars().all(|it| it == '`') || line.chars().all(|it| it == '~'))
        && n_closed(&words(answer)) > 0
}

/// Whether the code leaves out what it should repeat, as models do to be brief.
pub(crate) fn is_elided(code: &str) -> bool {
    code.lines().any(|line| {
        let words = line.trim_start();
        let is_comment =
            ["//", "#", "--", "/*", "<!--", "*"].iter().any(|it| words.starts_with(it));
        let words = words.to_ascii_lowercase();
        is_comment
            && (words.contains("...") || words.contains('…'))
            && ["rest", "existing", "remain", "unchanged", "same", "previous", "other", "omitted"]
                .iter()
                .any(|word| words.contains(word))
    })
}

struct Fence<'a> {
    indent: usize,
    mark: &'a str,
}

fn fence(line: &str) -> Option<(Fence<'_>, &str)> {
    let rest = line.trim_start();
    let first = rest.chars().next().filter(|it| matches!(it, '`' | '~'))?;
    let n_mark = rest.len() - rest.trim_start_matches(first).len();
    let (mark, info) = rest.split_at_checked(n_mark)?;
    let is_fence = 3 <= n_mark && !info.contains('`');
    is_fence.then_some((Fence { indent: line.len() - rest.len(), mark }, info.trim()))
}

/// Contents of fenced blocks; one that is not closed reaches to the end.
fn fenced(text: &str) -> Vec<String> {
    blocks(text).0
}

fn n_closed(text: &str) -> usize {
    blocks(text).1
}

fn blocks(text: &str) -> (Vec<String>, usize) {
    let (mut blocks, mut n_closed) = (Vec::new(), 0);
    let mut open: Option<(Fence<'_>, Vec<&str>)> = None;
    for line in text.lines() {
        match (&mut open, fence(line)) {
            (Some((opening, _)), Some((closing, ""))) if closing.mark.starts_with(opening.mark) => {
                if let Some((_, lines)) = open.take() {
                    n_closed += usize::from(lines.iter().any(|line| !line.trim().is_empty()));
                    blocks.push(lines.join(
                        "
",
                    ));
                }
            }
            (Some((opening, lines)), _) => {
                let n_blank = line.len() - line.trim_start().len();
                lines.push(line.get(opening.indent.min(n_blank)..).unwrap_or(line));
            }
            (None, Some((opening, _))) => open = Some((opening, Vec::new())),
            (None, None) => {}
        }
    }
    if let Some((_, lines)) = open {
        blocks.push(lines.join("\n"));
    }
    blocks.retain(|block| !block.trim().is_empty());
    (blocks, n_closed)
}

/// The run of paragraphs that parses best; of those, the longest.
fn without_chatter(text: &str, language: Option<Language>) -> String {
    let Some(language) = language else { return text.to_owned() };
    let paragraphs: Vec<&str> = text.split("\n\n").collect();
    let n = paragraphs.len();
    let mut best: Option<(usize, usize, String)> = None;
    for start in 0..n.min(MAX_CHATTER + 1) {
        for n_left_out in 0..(n - start).min(MAX_CHATTER + 1) {
            for skips_line in [false, true] {
                let Some(run) = paragraphs.get(start..n - n_left_out) else { continue };
                let mut candidate = run.join("\n\n");
                if skips_line {
                    // A sentence such as "Here it is:" may stand right above the code.
                    match candidate.split_once('\n') {
                        Some((first, rest)) if first.trim_end().ends_with(':') => {
                            candidate = rest.to_owned()
                        }
                        _ => continue,
                    }
                }
                let key = (n_errors(language, &candidate), usize::MAX - candidate.len());
                if best.as_ref().is_none_or(|(errors, size, _)| key < (*errors, *size)) {
                    best = Some((key.0, key.1, candidate));
                }
            }
        }
    }
    best.map(|(_, _, candidate)| candidate).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(answer: &str, expected: Option<&str>) {
        assert_eq!(code(answer, Some(Language::Rust), Some("f")).as_deref(), expected);
    }

    const CODE: &str = "fn f() {\n    g();\n}";

    #[test]
    fn fences_and_chatter() {
        check(&format!("```rust\n{CODE}\n```"), Some(CODE));
        check(&format!("Sure! Here it is:\n\n```rust\n{CODE}\n```\n\nIt calls `g`."), Some(CODE));
        check(&format!("~~~\n{CODE}\n~~~"), Some(CODE));
        check(&format!("````rust\n{CODE}\n````"), Some(CODE));
        check(&format!("```rust\n{CODE}"), Some(CODE));
        check(
            &format!("1. Do:\n   ```rust\n   {}\n   ```", CODE.replace('\n', "\n   ")),
            Some(CODE),
        );
        check(
            &format!("```sh\ncargo test --all-targets --workspace\n```\n```rust\n{CODE}\n```"),
            Some(CODE),
        );
        check(CODE, Some(CODE));
        check(&format!("Here is the code:\n{CODE}"), Some(CODE));
        check(
            &format!("Of course, I can do that.\n\n{CODE}\n\nLet me know if it works."),
            Some(CODE),
        );
        check("", None);
        check("```\n```", None);
    }

    #[test]
    fn thoughts_and_tools_are_no_code() {
        let block = format!("```rust\n{CODE}\n```");
        check(&format!("<think>\n```rust\nfn f() {{}}\n```\n</think>\n{block}"), Some(CODE));
        check(&format!("I wonder.\n</think>\n\n{block}"), Some(CODE));
        check("<think>\nI wonder ```rust\nfn f() {}\n```", None);
        check(&format!("<tool_call>\n{{\"name\": \"edit\"}}\n</tool_call>\n{block}"), Some(CODE));
        check(
            &format!(
                "<tool_call>\n<function=edit>\n<parameter=a>1</parameter>\n</function>\n</tool_call>{block}"
            ),
            Some(CODE),
        );
        check("<tool_call>{\"name\": \"edit\"}", None);
    }

    #[test]
    fn the_end_is_seen() {
        assert!(is_complete("Sure:\n```rust\nfn f() {}\n```"));
        assert!(!is_complete("Sure:\n```rust\nfn f() {}\n"));
        assert!(!is_complete("Sure:\n```"));
        assert!(!is_complete("<think>\n```\na\n```"));
    }

    #[test]
    fn elisions_are_seen() {
        assert!(is_elided("fn f() {\n    // ... rest of the code\n}"));
        assert!(is_elided("    # … existing code unchanged …"));
        assert!(!is_elided("// and so on ...\nlet rest = ..;"));
    }

    proptest! {
        #[test]
        fn anything_can_be_read(answer in "([`~]{1,4}|[a-z{}();:#/ ]|\n|<think>|</think>|<tool_call>|é|\t){0,60}") {
            let found = code(&answer, Some(Language::Rust), Some("f"));
            prop_assert!(found.is_none_or(|code| !code.trim().is_empty()));
            is_complete(&answer);
        }

        #[test]
        fn a_block_comes_out_as_it_went_in(lines in prop::collection::vec("[a-z(){};]{1,8}( [a-z]{1,4})?", 1..6), before in "[A-Z][a-z ]{0,20}[.:]", after in "[A-Z][a-z ]{0,20}[.]") {
            let inside = lines.join("\n");
            let answer = format!("{before}\n```\n{inside}\n```\n{after}");
            prop_assert_eq!(code(&answer, None, None), Some(inside.trim_end().to_owned()));
        }
    }
}
