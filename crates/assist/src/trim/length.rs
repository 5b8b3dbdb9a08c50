//! Text that the model did not get to finish.

use syntax::n_errors;

use crate::site::{Extent, Site};

/// Cuts back to the last whole line with which the text around it still parses as well as before, or to the last whole
/// line where there is none such; a lone line loses the word that was being written.
pub(super) fn cut<'a>(site: &Site, text: &'a str) -> &'a str {
    let whole = text.rfind('\n').and_then(|line_feed| text.get(..line_feed)).unwrap_or_default();
    if whole.trim().is_empty() {
        return text
            .trim_end_matches(|character: char| character.is_alphanumeric() || character == '_');
    }
    parsing_lines(site, whole).unwrap_or(whole)
}

fn parsing_lines<'a>(site: &Site, whole: &'a str) -> Option<&'a str> {
    let language = site.language.filter(|_| site.extent != Extent::Line)?;
    let n_errors_with =
        |middle: &str| n_errors(language, &format!("{}{middle}{}", site.before, site.after));
    let n_before = n_errors_with("");
    let ends = whole.match_indices('\n').map(|(line_feed, _)| line_feed).chain([whole.len()]);
    let ends: Vec<usize> = ends.collect();
    ends.into_iter()
        .rev()
        .filter_map(|end| whole.get(..end))
        .find(|lines| !lines.trim().is_empty() && n_errors_with(lines) <= n_before)
}

#[cfg(test)]
mod tests {
    use super::cut;
    use crate::site::Extent;
    use crate::trim::tests::site;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(cut(&site("$0", Extent::Line), text), expected);
    }

    #[test]
    fn a_block_that_is_not_closed_is_left_out() {
        let check = |fixture, text, expected| {
            assert_eq!(cut(&site(fixture, Extent::Block), text), expected);
        };
        let body = "fn f() {\n    $0\n}\n";
        check(body, "a();\n    if b {\n        c();\n        d(", "a();");
        check(
            body,
            "a();\n    if b {\n        c();\n    }\n    d(",
            "a();\n    if b {\n        c();\n    }",
        );
        check(body, "if b {\n        c();\n        d(", "if b {\n        c();");
        check("fn f() {$0\n", "\n    a();\n    b();\n    c", "\n    a();\n    b();");
    }

    #[test]
    fn cases() {
        check("a();\n    b(", "a();");
        check("a();\nb();\n", "a();\nb();");
        check("\n    product.wid", "\n    product.");
        check("total + résu", "total + ");
        check("word", "");
        check("", "");
    }
}
