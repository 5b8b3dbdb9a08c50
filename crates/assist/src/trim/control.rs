//! Control tokens that the model spells out instead of choosing them.

/// Where the first of them begins.
pub(super) fn stop(control_tokens: &[String], text: &str) -> Option<usize> {
    control_tokens.iter().filter_map(|name| text.find(name.as_str())).min()
}

#[cfg(test)]
mod tests {
    use super::stop;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let names = ["<|endoftext|>".to_owned(), "<|fim_prefix|>".to_owned()];
        let kept = stop(&names, text).and_then(|at| text.get(..at)).unwrap_or(text);
        assert_eq!(kept, expected);
    }

    #[test]
    fn cases() {
        check("x + 1", "x + 1");
        check("x + 1<|fim_prefix|>y<|endoftext|>", "x + 1");
        check("<|endoftext|>", "");
        check("a <| b |> c <|fim", "a <| b |> c <|fim");
    }
}
