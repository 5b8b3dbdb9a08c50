//! Text that the model did not get to finish.

/// Cuts back to the last whole line; a lone line loses the word that was being written.
pub(super) fn cut(text: &str) -> &str {
    let whole = text.rfind('\n').and_then(|line_feed| text.get(..line_feed)).unwrap_or_default();
    if !whole.trim().is_empty() {
        return whole;
    }
    text.trim_end_matches(|character: char| character.is_alphanumeric() || character == '_')
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(cut(text), expected);
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
