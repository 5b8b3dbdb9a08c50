//! Special tokens: which added tokens are ones, and the fill-in-the-middle ones by name.

use std::collections::HashMap;

use tokenizers::AddedToken;

/// Ids of the fill-in-the-middle tokens, looked up by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FimTokens {
    pub prefix: u32,
    pub suffix: u32,
    pub middle: u32,
    pub file_sep: Option<u32>,
    pub repo_name: Option<u32>,
    pub pad: Option<u32>,
}

/// Names under which published models carry a token, in the order of the fields of [`Family`].
struct Family {
    prefix: &'static str,
    suffix: &'static str,
    middle: &'static str,
}

const FAMILIES: [Family; 5] = [
    Family { prefix: "<|fim_prefix|>", suffix: "<|fim_suffix|>", middle: "<|fim_middle|>" },
    Family { prefix: "<fim_prefix>", suffix: "<fim_suffix>", middle: "<fim_middle>" },
    Family { prefix: "<fim-prefix>", suffix: "<fim-suffix>", middle: "<fim-middle>" },
    Family { prefix: "<PRE>", suffix: "<SUF>", middle: "<MID>" },
    Family { prefix: "▁<PRE>", suffix: "▁<SUF>", middle: "▁<MID>" },
];

const FILE_SEP: [&str; 2] = ["<|file_sep|>", "<file_sep>"];
const REPO_NAME: [&str; 3] = ["<|repo_name|>", "<repo_name>", "<reponame>"];
const PAD: [&str; 3] = ["<|fim_pad|>", "<fim_pad>", "<fim-pad>"];

/// Whether an added token steers the model rather than standing for text.
/// The flag in the file is not enough: some models ship their infilling tokens with `special: false`.
pub(crate) fn is_control(token: &AddedToken) -> bool {
    let name = token.content.trim_start_matches('▁');
    token.special || (name.len() > 2 && name.starts_with('<') && name.ends_with('>'))
}

/// Whether `name` is that of an infilling token.
pub(crate) fn is_fim_name(name: &str) -> bool {
    let in_a_family =
        |family: &Family| [family.prefix, family.suffix, family.middle].contains(&name);
    FAMILIES.iter().any(in_a_family)
        || FILE_SEP.contains(&name)
        || REPO_NAME.contains(&name)
        || PAD.contains(&name)
}

/// `None` unless one family is there with all three of its tokens.
pub(crate) fn fim(specials: &HashMap<String, u32>) -> Option<FimTokens> {
    let id = |name: &str| specials.get(name).copied();
    let first = |names: &[&str]| names.iter().find_map(|name| id(name));
    FAMILIES.iter().find_map(|family| {
        Some(FimTokens {
            prefix: id(family.prefix)?,
            suffix: id(family.suffix)?,
            middle: id(family.middle)?,
            file_sep: first(&FILE_SEP),
            repo_name: first(&REPO_NAME),
            pad: first(&PAD),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn specials(names: &[&str]) -> HashMap<String, u32> {
        names.iter().zip(10..).map(|(name, id)| ((*name).to_owned(), id)).collect()
    }

    #[test]
    fn families_are_not_mixed() {
        assert_eq!(fim(&specials(&["<|fim_prefix|>", "<fim_suffix>", "<|fim_middle|>"])), None);
        assert_eq!(fim(&specials(&[])), None);
    }

    #[test]
    fn each_family_is_found() {
        for family in FAMILIES {
            let found =
                fim(&specials(&[family.middle, family.prefix, family.suffix, "<file_sep>"]));
            let expected = FimTokens {
                middle: 10,
                prefix: 11,
                suffix: 12,
                file_sep: Some(13),
                repo_name: None,
                pad: None,
            };
            assert_eq!(found, Some(expected), "{}", family.prefix);
        }
    }

    #[test]
    fn control_tokens_are_told_from_text() {
        assert!(is_control(&AddedToken::from("<|fim_middle|>", false)));
        assert!(is_control(&AddedToken::from("[INST]", true)));
        assert!(is_control(&AddedToken::from("▁<PRE>", false)));
        assert!(!is_control(&AddedToken::from("    ", false)));
        assert!(!is_control(&AddedToken::from("<>", false)));
    }
}
