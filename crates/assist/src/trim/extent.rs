//! One line where no block is wanted.

use crate::lines::is_blank;
use crate::site::{Extent, Site};

/// The end of the first line with something on it. At the end of a line the model may begin with the line feed, and
/// then that is the line below; where text follows on the caret's line, it may not leave it.
pub(super) fn stop(site: &Site, text: &str) -> Option<usize> {
    if site.extent != Extent::Line {
        return None;
    }
    let start = if is_blank(site.line_after()) { text.len() - text.trim_start().len() } else { 0 };
    text.get(start..)?.find('\n').map(|line_feed| start + line_feed)
}

#[cfg(test)]
mod tests {
    use super::stop;
    use crate::site::Extent;
    use crate::trim::tests::site;

    #[track_caller]
    fn check(fixture: &str, extent: Extent, text: &str, expected: &str) {
        let site = site(fixture, extent);
        let kept = stop(&site, text).and_then(|at| text.get(..at)).unwrap_or(text);
        assert_eq!(kept, expected);
    }

    #[test]
    fn cases() {
        check("let x = $0\n", Extent::Line, "1;\nlet y = 2;\n", "1;");
        check("let x = $0\n", Extent::Line, "1;", "1;");
        check("let x = 1;$0\n", Extent::Line, "\nlet y = 2;\nlet z", "\nlet y = 2;");
        check("f($0);\n", Extent::Line, "\n    x,\n", "");
        check("f($0);\n", Extent::Line, "x,\n", "x,");
        check("{$0", Extent::Block, "\n    a();\n    b();\n", "\n    a();\n    b();\n");
    }
}
