//! What kind of change an edit was.

use workspace::LoggedEdit;

/// A change that may be made again elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// One name became another, and nothing else changed.
    Name { old: String, new: String },
    /// Something else changed on lines that may be the head of a function.
    Parameters,
}

impl Change {
    pub(crate) fn is_of(&self, name: &str) -> bool {
        matches!(self, Self::Name { old, .. } if old == name)
    }
}

/// `None` for a change that was larger than that, or none.
pub(crate) fn change_of(edit: &LoggedEdit) -> Option<Change> {
    let (before, after) = (tokens(&edit.before), tokens(&edit.after));
    if before == after {
        return None;
    }
    let n_head = before.iter().zip(&after).take_while(|(one, other)| one == other).count();
    let rest = before.len().min(after.len()) - n_head;
    let tail = before.iter().rev().zip(after.iter().rev()).take(rest);
    let n_tail = tail.take_while(|(one, other)| one == other).count();
    let old = before.get(n_head..before.len() - n_tail)?;
    let new = after.get(n_head..after.len() - n_tail)?;
    // The same name may have been replaced several times on one line.
    let pairs: Vec<(&str, &str)> =
        old.iter().copied().zip(new.iter().copied()).filter(|(old, new)| old != new).collect();
    match pairs.first() {
        Some(&(old_name, new_name))
            if old.len() == new.len()
                && pairs.iter().all(|pair| *pair == (old_name, new_name))
                && is_name(old_name)
                && is_name(new_name) =>
        {
            Some(Change::Name { old: old_name.to_owned(), new: new_name.to_owned() })
        }
        _ if edit.after.contains('(') || edit.before.contains('(') || edit.after.contains(',') => {
            Some(Change::Parameters)
        }
        _ => None,
    }
}

fn is_name(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// Words and single other characters, without white space.
fn tokens(text: &str) -> Vec<&str> {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let n_bytes = match is_word(first) {
            true => rest.find(|character| !is_word(character)).unwrap_or(rest.len()),
            false => first.len_utf8(),
        };
        let (token, behind) = rest.split_at(n_bytes);
        tokens.push(token);
        rest = behind.trim_start();
    }
    tokens
}
