//! White space at the ends of lines, which nobody wants to accept.

/// Without white space at the end of any line or of the text.
pub(super) fn trim(text: &str) -> String {
    let text = text.trim_end();
    let lines: Vec<&str> = text.split('\n').map(str::trim_end).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::trim;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(trim(text), expected);
    }

    #[test]
    fn cases() {
        check("a  \n", "a");
        check("\n    a();   \n\t\n    b();\n\n", "\n    a();\n\n    b();");
        check("  a", "  a");
        check(" \n ", "");
    }
}
