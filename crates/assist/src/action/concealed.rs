//! Code without its secrets, as a model that follows instructions is shown it, and its answer with them put back.

use workspace::{mask, secrets};

/// A text whose secrets are masked.
#[derive(Debug)]
pub(crate) struct Concealed {
    pub(crate) shown: String,
    /// Each secret as it is, and as it is shown, in the order of the text.
    hidden: Vec<(String, String)>,
}

impl Concealed {
    pub(crate) fn new(text: &str) -> Self {
        let shown = mask(text).into_owned();
        let part = |text: &str, range| text.get::<std::ops::Range<usize>>(range).map(str::to_owned);
        let hidden = secrets(text)
            .into_iter()
            .filter_map(|range| Some((part(text, range.clone())?, part(&shown, range)?)))
            .collect();
        Self { shown, hidden }
    }

    /// `answer` with secrets in place of their masks, in their order; `None` where a mask is left whose secret is not known, or
    /// there is no telling which of several a mask stands for.
    pub(crate) fn revealed(&self, answer: &str) -> Option<String> {
        if self.hidden.iter().any(|(_, shown)| !self.is_clear(answer, shown)) {
            return None;
        }
        let mut revealed = String::with_capacity(answer.len());
        let mut rest = answer;
        for (secret, shown) in &self.hidden {
            // A secret whose line the answer leaves out is passed over.
            let Some(at) = whole_masks(rest, shown).next() else { continue };
            let (before, behind) = rest.split_at(at);
            revealed.push_str(before);
            revealed.push_str(secret);
            rest = behind.get(shown.len()..)?;
        }
        revealed.push_str(rest);
        let is_left =
            |(_, shown): &(String, String)| whole_masks(&revealed, shown).next().is_some();
        (!self.hidden.iter().any(is_left)).then_some(revealed)
    }

    /// Which secrets the masks like `shown` stand for: all of them are there, or none, or they are one and the same.
    fn is_clear(&self, answer: &str, shown: &str) -> bool {
        let alike: Vec<&str> = self
            .hidden
            .iter()
            .filter(|hidden| hidden.1 == shown)
            .map(|hidden| &*hidden.0)
            .collect();
        let n_found = whole_masks(answer, shown).count();
        n_found == 0 || n_found == alike.len() || alike.windows(2).all(|pair| pair[0] == pair[1])
    }
}

/// Where `shown` stands in `text` with no more stars beside it.
fn whole_masks(text: &str, shown: &str) -> impl Iterator<Item = usize> {
    text.match_indices(shown).map(|(at, _)| at).filter(move |at| {
        let before = text.get(..*at).unwrap_or_default();
        let behind = text.get(at + shown.len()..).unwrap_or_default();
        !before.ends_with('*') && !behind.starts_with('*')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "ghp_0123456789abcdefghijABCDEFGHIJ456789";
    const OTHER: &str = "ghp_9876543210abcdefghijABCDEFGHIJ456789";

    #[track_caller]
    fn check(text: &str, answer: impl Fn(&str) -> String, expected: Option<&str>) {
        let concealed = Concealed::new(text);
        assert!(!concealed.shown.contains("ghp_"), "{}", concealed.shown);
        assert_eq!(concealed.revealed(&answer(&concealed.shown)).as_deref(), expected);
    }

    #[test]
    fn secrets_come_back_where_they_stood() {
        let text = format!("a = \"{TOKEN}\"\nb = \"{OTHER}\"\n");
        check(&text, str::to_owned, Some(&text));
        check(&text, |shown| format!("# two\n{shown}"), Some(&format!("# two\n{text}")));
        check(&text, |_| "c = 1\n".to_owned(), Some("c = 1\n"));
        // The mask that is left may stand for either.
        check(&text, |shown| shown.lines().next().unwrap().to_owned(), None);
        check(&text, |shown| shown.lines().last().unwrap().to_owned(), None);
        let same = format!("a = \"{TOKEN}\"\nb = \"{TOKEN}\"\n");
        let first = format!("a = \"{TOKEN}\"");
        check(&same, |shown| shown.lines().next().unwrap().to_owned(), Some(&first));
        let twice = |shown: &str| format!("{shown}{shown}");
        check(&text, twice, None);
        let plain = Concealed::new("/****** a ******/\n");
        assert_eq!(plain.revealed("/****** b ******/\n").as_deref(), Some("/****** b ******/\n"));
    }
}
