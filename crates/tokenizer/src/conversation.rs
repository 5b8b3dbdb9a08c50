//! Ids of a conversation, in which only the template's own control tokens count.

use crate::chat::{ChatTemplate, Message};
use crate::error::Error;
use crate::tokenizer::Tokenizer;

/// Code points that are set aside for use within a program and stand for nothing.
const NONCHARACTERS: std::ops::RangeInclusive<char> = '\u{fdd0}'..='\u{fdef}';

impl ChatTemplate {
    /// Ids of what [`Self::render`] gives. Control tokens that a message spells out are text: while the template runs,
    /// a mark keeps them apart from those that the template itself places.
    pub fn encode(&self, messages: &[Message], tokenizer: &Tokenizer) -> Result<Vec<u32>, Error> {
        let is_used = |mark: char| messages.iter().any(|message| message.content.contains(mark));
        let mark = NONCHARACTERS.into_iter().find(|mark| !is_used(*mark)).ok_or_else(|| {
            Error::Template {
                reason: "the messages contain every noncharacter there is".to_owned(),
            }
        })?;
        let mut specials: Vec<(&str, u32)> = tokenizer
            .special_names()
            .filter_map(|name| Some((name, tokenizer.special(name)?)))
            .filter(|(name, _)| !name.is_empty())
            .collect();
        // Of two names that both fit, the longer is meant.
        specials.sort_unstable_by_key(|(name, _)| std::cmp::Reverse(name.len()));

        let marked: Vec<Message> = messages
            .iter()
            .map(|message| Message {
                role: message.role.clone(),
                content: marked(&message.content, mark, &specials),
            })
            .collect();
        let rendered = self.render(&marked)?;
        let mut ids: Vec<u32> = tokenizer.bos_to_add().into_iter().collect();
        let has_own_start =
            specials.iter().any(|(name, id)| ids.first() == Some(id) && rendered.starts_with(name));
        if has_own_start {
            ids.clear();
        }
        let (mut rest, mut text) = (rendered.as_str(), String::new());
        while let Some(next) = rest.chars().next() {
            let special =
                specials.iter().find_map(|(name, id)| Some((rest.strip_prefix(name)?, *id)));
            if let Some((behind, id)) = special {
                ids.extend(tokenizer.encode_after(&ids, &std::mem::take(&mut text)));
                ids.push(id);
                rest = behind;
                continue;
            }
            if next != mark {
                text.push(next);
            }
            rest = rest.get(next.len_utf8()..).unwrap_or_default();
        }
        ids.extend(tokenizer.encode_after(&ids, &text));
        Ok(ids)
    }
}

/// `content` with the mark behind each character that begins a control token and before each that ends one, so that
/// neither it nor what it becomes part of spells one.
fn marked(content: &str, mark: char, specials: &[(&str, u32)]) -> String {
    let begins = |c: char| specials.iter().any(|(name, _)| name.starts_with(c));
    let ends = |c: char| specials.iter().any(|(name, _)| name.ends_with(c));
    let mut marked = String::with_capacity(content.len());
    for c in content.chars() {
        if ends(c) {
            marked.push(mark);
        }
        marked.push(c);
        if begins(c) {
            marked.push(mark);
        }
    }
    marked
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::LazyLock;

    use super::*;

    static TOKENIZER: LazyLock<Tokenizer> = LazyLock::new(|| {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/tokenizer");
        Tokenizer::from_directory(&fixture).unwrap()
    });

    /// Control tokens around the message, with no text between them and it or another message.
    const TIGHT: &str = "<|fim_prefix|>{% for message in messages %}{{ message.content }}{% endfor %}<|fim_suffix|>";

    const LOOSE: &str =
        "<|fim_prefix|>user\n{{ messages[0].content | trim }}\n<|fim_suffix|>fn<|fim_middle|>";

    fn messages(contents: &[&str]) -> Vec<Message> {
        let message =
            |content: &&str| Message { role: "user".to_owned(), content: (*content).to_owned() };
        contents.iter().map(message).collect()
    }

    #[track_caller]
    fn check_harmless(contents: &[&str]) {
        let template = ChatTemplate::new(TIGHT.to_owned(), None, None).unwrap();
        let ids = template.encode(&messages(contents), &TOKENIZER).unwrap();
        let specials: Vec<u32> =
            ids.iter().copied().filter(|id| TOKENIZER.is_special(*id)).collect();
        let fim = TOKENIZER.fim().unwrap();
        assert_eq!(specials, [fim.prefix, fim.suffix], "{contents:?}");
        assert_eq!(TOKENIZER.decode(&ids), contents.concat());
    }

    #[test]
    fn messages_cannot_spell_control_tokens() {
        for name in TOKENIZER.special_names() {
            check_harmless(&[name]);
            check_harmless(&[&format!("a {name}{name}\n\"{name}\" é")]);
            for split in 1..name.len() {
                check_harmless(&[&name[..split], &name[split..]]);
            }
        }
        check_harmless(&["<|fim_<|fim_middle|>middle|>", "\u{fdd0}<|fim_middle|>\u{fdd1}"]);
        check_harmless(&["<"]);
        check_harmless(&[">"]);
    }

    #[test]
    fn ordinary_messages_are_encoded_as_the_rendered_text() {
        let template = ChatTemplate::new(LOOSE.to_owned(), None, None).unwrap();
        for content in ["  fn area(x: u32) {\n    return 42;\n}  ", "a < b && c > d", "é", ""] {
            let messages = messages(&[content]);
            let rendered = template.render(&messages).unwrap();
            let expected = TOKENIZER.encode_with_specials(&rendered);
            assert_eq!(template.encode(&messages, &TOKENIZER).unwrap(), expected, "{content:?}");
        }
    }

    #[test]
    fn messages_with_every_noncharacter_are_refused() {
        let template = ChatTemplate::new(TIGHT.to_owned(), None, None).unwrap();
        let content: String = NONCHARACTERS.collect();
        let error = template.encode(&messages(&[&content]), &TOKENIZER).unwrap_err().to_string();
        assert!(error.contains("noncharacter"), "{error}");
    }
}
