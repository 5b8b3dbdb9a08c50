//! Where the names around the caret are defined: signatures of functions, shapes of types.

use std::fmt::Write;

use syntax::Language;
use workspace::{Definition, File, Repository, SymbolKind};

use crate::gather::Caret;
use crate::gather::excerpt::excerpt;
use crate::gather::focus::Focus;
use crate::gather::rank::{FileRank, MAX_DEFINITIONS};
use crate::gather::texts::Texts;
use crate::piece::PieceKind;
use crate::snippet::Snippet;

/// Definitions whose text is looked at.
const MAX_FOUND: usize = 12;

/// Functions up to so many bytes are shown whole, longer ones by their signature.
const SHORT_FUNCTION: usize = 320;

/// Types up to so many bytes are shown whole, longer ones by the signatures of what they hold.
const SHORT_TYPE: usize = 700;

/// Members of one type that are shown.
const MAX_MEMBERS: usize = 24;

/// What a name that is imported from the file of its definition counts more.
const IMPORTED: f64 = 3.0;

/// A method counts more where the name of its type stands near, too.
const OF_NAMED_TYPE: f64 = 2.0;

pub(crate) fn find<'r>(
    repository: &'r Repository<'r>,
    caret: &Caret<'_>,
    focus: &Focus,
    rank: &FileRank<'r>,
    texts: &mut Texts<'r>,
) -> Vec<Snippet> {
    let mut found: Vec<(Definition<'r>, f64)> = Vec::new();
    for (name, weight) in &focus.names {
        let Some(definitions) = repository.few_definitions(name, MAX_DEFINITIONS) else { continue };
        let n = definitions.len() as f64;
        for definition in definitions {
            let file = definition.file();
            if !is_known_to(caret.document.language, file.language()) {
                continue;
            }
            let mut score = weight * worth(definition.kind()) / n.sqrt() * (0.5 + rank.of(file));
            if rank.imported.contains(&file) {
                score *= IMPORTED;
            }
            if definition.container().is_some_and(|container| focus.weight(container).is_some()) {
                score *= OF_NAMED_TYPE;
            }
            if 0.0 < score {
                found.push((definition, score));
            }
        }
    }
    found.sort_by(|(one, score), (other, other_score)| {
        other_score
            .total_cmp(score)
            .then_with(|| one.file().cmp(&other.file()))
            .then_with(|| one.range().start.cmp(&other.range().start))
    });
    found.truncate(MAX_FOUND);
    groups(found)
        .into_iter()
        .filter_map(|group| group.shown(texts.of(group.file())?, caret.max_bytes))
        .collect()
}

/// Members of one type together, each other definition alone; best first, as `found` is.
fn groups<'r>(found: Vec<(Definition<'r>, f64)>) -> Vec<Group<'r>> {
    let mut groups: Vec<Group<'r>> = Vec::new();
    for (definition, score) in found {
        let place = |definition: &Definition<'r>| (definition.file(), definition.range());
        let owner = definition.parent().filter(|parent| parent.kind().has_methods());
        let (of, member) = match owner {
            Some(owner) => (owner, Some(definition)),
            None => (definition, None),
        };
        match groups.iter_mut().find(|group| place(&group.of) == place(&of)) {
            Some(group) => group.members.extend(member),
            None => groups.push(Group { of, members: member.into_iter().collect(), score }),
        }
    }
    groups
}

/// How much it helps to see such a definition; nothing for those that have no more to them than their name.
fn worth(kind: SymbolKind) -> f64 {
    match kind {
        SymbolKind::Class
        | SymbolKind::Enum
        | SymbolKind::Interface
        | SymbolKind::Struct
        | SymbolKind::Function
        | SymbolKind::Method
        | SymbolKind::Macro => 1.0,
        SymbolKind::Implementation | SymbolKind::Type | SymbolKind::Prototype => 0.8,
        SymbolKind::Constant => 0.5,
        SymbolKind::Field | SymbolKind::Variable => 0.3,
        SymbolKind::Module | SymbolKind::Variant => 0.0,
    }
}

/// Whether code of one language can use what a file of the other defines.
pub(crate) fn is_known_to(user: Option<Language>, definer: Option<Language>) -> bool {
    let family = |language: Language| match language {
        Language::C | Language::Cpp => 1,
        Language::JavaScript | Language::Tsx | Language::TypeScript => 2,
        Language::Bash => 3,
        Language::CSharp => 4,
        Language::Go => 5,
        Language::Java => 6,
        Language::Lua => 7,
        Language::Python => 8,
        Language::Ruby => 9,
        Language::Rust => 10,
    };
    match (user, definer) {
        (Some(user), Some(definer)) => family(user) == family(definer),
        _ => true,
    }
}

/// A definition, with those of its members that are wanted most.
#[derive(Debug)]
struct Group<'r> {
    of: Definition<'r>,
    members: Vec<Definition<'r>>,
    score: f64,
}

impl<'r> Group<'r> {
    fn file(&self) -> File<'r> {
        self.of.file()
    }

    fn shown(&self, text: &str, max_bytes: usize) -> Option<Snippet> {
        let range = self.of.range();
        let is_type = self.of.kind().has_methods();
        let short = if is_type { SHORT_TYPE } else { SHORT_FUNCTION };
        let whole = excerpt(text, range.clone())?;
        let cut = if range.len() <= short.min(max_bytes) {
            whole.text
        } else if is_type {
            self.shape(text, max_bytes)?
        } else {
            excerpt(text, self.of.signature())?.text
        };
        (cut.len() <= max_bytes).then(|| Snippet {
            kind: PieceKind::Definition,
            path: self.file().path().to_owned(),
            lines: whole.lines,
            text: cut,
            score: self.score,
        })
    }

    /// The head of a type and what it holds, as much as fits: wanted members whole where they are short, of the others their
    /// signatures.
    fn shape(&self, text: &str, max_bytes: usize) -> Option<String> {
        let mut shape = excerpt(text, self.of.signature())?.text;
        let is_wanted = |member: &Definition<'r>| {
            self.members.iter().any(|wanted| wanted.range() == member.range())
        };
        let all = members(self.of);
        let mut n_left = max_bytes.saturating_sub(shape.len());
        let mut kept: Vec<(usize, String)> = Vec::new();
        let (wanted, others): (Vec<_>, Vec<_>) = all.partition(is_wanted);
        for member in wanted.iter().chain(others.iter().take(MAX_MEMBERS)) {
            let is_whole = is_wanted(member) && member.range().len() <= SHORT_FUNCTION;
            let range = if is_whole { member.range() } else { member.signature() };
            let Some(cut) = excerpt(text, range) else { continue };
            let n_bytes = cut.text.len() + 4 * cut.lines.len();
            if n_bytes <= n_left {
                n_left -= n_bytes;
                kept.push((cut.lines.start, cut.text));
            }
        }
        kept.sort();
        for line in kept.iter().flat_map(|(_, text)| text.lines()) {
            let _ = writeln!(shape, "    {line}");
        }
        Some(shape)
    }
}

fn members<'r>(of: Definition<'r>) -> impl Iterator<Item = Definition<'r>> {
    let range = of.range();
    let is_member = move |member: &Definition<'r>| {
        member.parent().is_some_and(|parent| parent.range() == range)
    };
    of.file().definitions().filter(is_member)
}
