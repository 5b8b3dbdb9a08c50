//! Which places text from elsewhere may come from.

use std::fmt;

use crate::piece::PieceKind;

/// A set of kinds of snippets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sources(u16);

/// What may be asked for by name, in the order of the prompt.
const KINDS: [PieceKind; 6] = [
    PieceKind::Definition,
    PieceKind::Enclosing,
    PieceKind::Test,
    PieceKind::Similar,
    PieceKind::Viewed,
    PieceKind::Edited,
];

impl Sources {
    pub const NONE: Self = Self(0);
    pub const ALL: Self = Self(u16::MAX);

    pub const fn only(kind: PieceKind) -> Self {
        Self(1 << kind as u16)
    }

    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that are in both.
    pub const fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub fn contain(self, kind: PieceKind) -> bool {
        self.0 & Self::only(kind).0 != 0
    }

    /// `none`, `all`, or names of kinds with commas between them, e.g. `definition,similar`; the first name that is none of
    /// these is the error.
    pub fn from_names(names: &str) -> Result<Self, String> {
        match names {
            "none" => return Ok(Self::NONE),
            "all" => return Ok(Self::ALL),
            _ => {}
        }
        names.split(',').map(str::trim).try_fold(Self::NONE, |sources, name| {
            let kind = KINDS.into_iter().find(|kind| kind.name() == name);
            kind.map(|kind| sources.and(Self::only(kind))).ok_or_else(|| name.to_owned())
        })
    }
}

/// As [`Sources::from_names`] reads it.
impl fmt::Display for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> =
            KINDS.into_iter().filter(|kind| self.contain(*kind)).map(PieceKind::name).collect();
        match names.len() {
            0 => f.write_str("none"),
            n if n == KINDS.len() => f.write_str("all"),
            _ => f.write_str(&names.join(",")),
        }
    }
}

impl Default for Sources {
    fn default() -> Self {
        Self::ALL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_named() {
        let parsed = Sources::from_names("definition, similar").unwrap();
        let contained = KINDS.into_iter().filter(|kind| parsed.contain(*kind));
        assert_eq!(contained.collect::<Vec<_>>(), [PieceKind::Definition, PieceKind::Similar]);
        assert_eq!(Sources::from_names("none"), Ok(Sources::NONE));
        for names in ["none", "all", "definition,similar"] {
            assert_eq!(Sources::from_names(names).unwrap().to_string(), names);
        }
        assert_eq!(Sources::from_names("all"), Ok(Sources::ALL));
        assert_eq!(Sources::from_names("similar,prefix"), Err("prefix".to_owned()));
    }
}
