//! What a line without a usable tree leaves open: the string or comment that is being typed is exactly what a grammar cannot parse yet.

use std::iter::Peekable;
use std::str::Chars;

use crate::{Language, Place};

/// What the end of `line` lies in, where `line` begins in code.
pub(crate) fn place_at_end(language: Language, line: &str) -> Place {
    let leader = language.line_comment();
    let mut open: Vec<Open> = Vec::new();
    let mut chars = line.chars().peekable();
    let mut previous = ' ';
    while let Some(character) = chars.next() {
        match open.last().copied() {
            Some(Open::String { quote, .. }) if character == quote => {
                open.pop();
            }
            Some(Open::String { quote, formatted }) => match character {
                '\\' => {
                    chars.next();
                }
                '$' if quote == '`' && chars.next_if_eq(&'{').is_some() => {
                    open.push(Open::Interpolation)
                }
                '{' if formatted && chars.next_if_eq(&'{').is_none() => {
                    open.push(Open::Interpolation)
                }
                _ => {}
            },
            Some(Open::Interpolation) if character == '}' => {
                open.pop();
            }
            Some(Open::Interpolation | Open::Bracket) | None => match character {
                '{' if !open.is_empty() => open.push(Open::Bracket),
                '#' if leader == "#" && previous != '$' => return Place::Comment,
                '-' if leader == "--" && chars.peek() == Some(&'-') => return Place::Comment,
                '/' if leader == "//" && chars.peek() == Some(&'/') => return Place::Comment,
                '/' if leader == "//"
                    && chars.next_if_eq(&'*').is_some()
                    && !skip_block_comment(&mut chars) =>
                {
                    return Place::Comment;
                }
                '\'' if language.has_characters() => skip_character(&mut chars),
                '"' | '\'' | '`' if opens_string(language, character) => {
                    let formatted = language == Language::Python && matches!(previous, 'f' | 'F');
                    open.push(Open::String { quote: character, formatted });
                }
                _ => {}
            },
        }
        if let (Some(Open::Bracket), '}') = (open.last(), character) {
            open.pop();
        }
        previous = character;
    }
    match open.last() {
        Some(Open::String { .. }) => Place::String,
        Some(Open::Interpolation | Open::Bracket) | None => Place::Code,
    }
}

#[derive(Debug, Clone, Copy)]
enum Open {
    String {
        quote: char,
        formatted: bool,
    },
    Interpolation,
    /// A brace inside an interpolation.
    Bracket,
}

fn opens_string(language: Language, quote: char) -> bool {
    match quote {
        '"' => true,
        '\'' => !language.has_characters(),
        '`' => matches!(
            language,
            Language::Go | Language::JavaScript | Language::Tsx | Language::TypeScript
        ),
        _ => false,
    }
}

fn skip_block_comment(chars: &mut Peekable<Chars<'_>>) -> bool {
    while let Some(character) = chars.next() {
        if character == '*' && chars.next_if_eq(&'/').is_some() {
            return true;
        }
    }
    false
}

/// Skips the rest of a character literal behind its quote, and nothing behind the quote of a lifetime.
fn skip_character(chars: &mut Peekable<Chars<'_>>) {
    let mut ahead = chars.clone();
    if ahead.next() == Some('\\') {
        ahead.next();
        if ahead.by_ref().take(10).any(|character| character == '\'') {
            *chars = ahead;
        }
    } else if ahead.next() == Some('\'') {
        *chars = ahead;
    }
}
