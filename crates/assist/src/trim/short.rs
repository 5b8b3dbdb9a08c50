//! Suggestions that are sooner typed than read.

use crate::completion::Trigger;
use crate::lines::n_visible;
use crate::site::Site;

/// In characters that are not white space.
const MIN_VISIBLE: usize = 2;

/// Whoever asks by hand gets the shortest answer too.
pub(super) fn is_too_short(site: &Site, text: &str) -> bool {
    site.trigger == Trigger::Automatic && n_visible(text) < MIN_VISIBLE
}

#[cfg(test)]
mod tests {
    use super::is_too_short;
    use crate::completion::Trigger;
    use crate::site::{Extent, Site};
    use crate::trim::tests::site;

    #[track_caller]
    fn check(trigger: Trigger, text: &str, expected: bool) {
        let site = Site { trigger, ..site("let x = f($0\n", Extent::Line) };
        assert_eq!(is_too_short(&site, text), expected);
    }

    #[test]
    fn cases() {
        check(Trigger::Automatic, ")", true);
        check(Trigger::Automatic, "\n    1", true);
        check(Trigger::Automatic, ");", false);
        check(Trigger::Automatic, "ab", false);
        check(Trigger::Invoked, ")", false);
    }
}
