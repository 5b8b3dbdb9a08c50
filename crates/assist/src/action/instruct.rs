//! Actions for models that follow instructions: edit, fix, tests, explain.

use std::ops::Range;
use std::path::PathBuf;

use context::{Budget, PieceKind, Sources, background, fenced, with_line_feeds};
use engine::{Priority, Sampling};
use syntax::{Item, Language};
use text::Edit;
use tokenizer::{ChatTemplate, Message};
use workspace::{Document, Snapshot, mask};

use crate::action::change::{ActionAnswer, Effect};
use crate::action::concealed::Concealed;
use crate::action::hole::{indent_of, without_margins};
use crate::action::infill::{Filled, not_cancelled};
use crate::action::instruction::{self, Instruction};
use crate::action::refusal::Refusal;
use crate::action::request::Diagnostic;
use crate::action::test_code::is_test_of;
use crate::action::test_file::placed;
use crate::action::{extract, fit, minimal};
use crate::completion::Config;
use crate::reason::Reason;
use crate::writer::{Order, Watch, Writer, Written};

/// Longest explanation and longest tests, in tokens.
const MAX_WORDS: usize = 768;

/// What an answer may take besides twice the code that it is to change, in tokens.
const MORE: usize = 192;

/// An answer shorter than this is not worth a prompt, in tokens.
const LEAST: usize = 64;

/// For a model whose authors recommend nothing: warm enough to differ from the likeliest text.
const DRAWN: Sampling = Sampling { temperature: 0.7, top_p: 0.95, top_k: 0, seed: 0 };

const CODE_ONLY: &str = "You are an expert programmer who edits source code. Answer with the code in one fenced block, \
                         complete, without omissions and without comments about the change.";

const WORDS: &str =
    "You are an expert programmer who explains source code to a colleague, briefly and precisely.";

/// Before what of the repository may help.
const REFERENCE: &str = "Other parts of the repository, for reference:\n\n";

/// Tokens that this line may take, and what is joined otherwise where pieces of text meet.
const N_REFERENCE: usize = 64;

/// What any code is read with: the definitions of what it uses.
const USED: Sources = Sources::only(PieceKind::Definition);

pub(crate) struct Instruct<'a> {
    pub(crate) writer: &'a Writer,
    pub(crate) chat: &'a ChatTemplate,
    pub(crate) config: Config,
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) document: &'a Document,
    pub(crate) watch: Watch<'a>,
}

/// What a request says, and what the answer may be like.
#[derive(Clone, Copy)]
struct Asked<'a> {
    about: &'a context::Subject<'a>,
    /// As the model is shown it.
    code: &'a str,
    /// Where what may help comes from.
    sources: Sources,
    /// Of the answer, in tokens.
    limit: usize,
    /// The code that the answer may repeat.
    old: &'a str,
}

/// Code that is to be changed or spoken of.
struct Subject {
    range: Range<usize>,
    item: Option<Item>,
}

impl Instruct<'_> {
    /// Does what `given` says, or else what a comment says, which goes away.
    pub(crate) fn edit(&self, selection: &Range<usize>, given: Option<&str>) -> Filled {
        let found = given.is_none().then(|| instruction::find(self.document, selection)).flatten();
        let Some(words) =
            given.map(str::to_owned).or_else(|| found.as_ref().map(|it| it.text.clone()))
        else {
            return Refusal::NoInstruction.into();
        };
        self.change(selection, found.as_ref(), &words, &[])
    }

    /// Mends what a compiler or linter found.
    pub(crate) fn fix(&self, diagnostic: &Diagnostic) -> Filled {
        let buffer = &self.document.buffer;
        let line = buffer
            .slice(buffer.line_range(buffer.line_of(diagnostic.range.start)))
            .trim()
            .to_owned();
        let words = format!(
            "The line `{line}` has this problem: {}\nCorrect the code so that the problem is gone, and change nothing else.",
            diagnostic.message
        );
        let at = diagnostic.range.start;
        self.change(&(at..at), None, &words, &diagnostic.related)
    }

    fn change(
        &self,
        selection: &Range<usize>,
        comment: Option<&Instruction>,
        words: &str,
        related: &[(PathBuf, usize)],
    ) -> Filled {
        // All is done on the text without the comment, and compared with the text as it is.
        let removed = comment.map_or(selection.start..selection.start, |it| it.lines.clone());
        let document = self.document.edited(&Edit { range: removed.clone(), text: String::new() });
        let forth =
            |at: usize| if removed.end <= at { at - removed.len() } else { at.min(removed.start) };
        let selection = forth(selection.start)..forth(selection.end);
        let subject = match subject(&document, &selection, comment.map(|_| removed.start)) {
            Ok(subject) => subject,
            Err(refusal) => return refusal.into(),
        };
        let buffer = &document.buffer;
        let old = with_line_feeds(&buffer.slice(subject.range.clone())).into_owned();
        let indent = indent_of(buffer, subject.range.start);
        let code = Concealed::new(&fit::dedented(&format!("{indent}{old}")));
        let n_old = self.writer.tokenizer.encode(&old).len();
        let edits_for = |written: &Written| {
            let new = self.code(&document, &subject, &indent, written)?;
            let new = code.revealed(&new).ok_or(Refusal::Elided)?;
            let start = subject.range.start.min(removed.start);
            let end = subject.range.end.max(removed.start);
            let before = buffer.slice(start..subject.range.start);
            let after = buffer.slice(subject.range.end..end);
            let text = with_line_feeds(&format!("{before}{new}{after}")).into_owned();
            // Behind the comment, places lie further on in the text as it is.
            let edits = minimal::edits(&self.document.buffer, &(start..end + removed.len()), &text);
            let is_only_removal = new == old;
            if edits.is_empty() || is_only_removal { Err(Refusal::Unchanged) } else { Ok(edits) }
        };
        let old_shown = mask(&old);
        let about = context::Subject {
            document: &document,
            range: subject.range.clone(),
            at: selection.start.clamp(subject.range.start, subject.range.end),
            words,
            related,
        };
        let asked = Asked {
            about: &about,
            code: &code.shown,
            sources: USED.and(Sources::only(PieceKind::Enclosing)),
            limit: 2 * n_old + MORE,
            old: &old_shown,
        };
        match self.code_for(asked, edits_for) {
            Ok((written, edits)) => {
                Filled { edits, raw: written.text, outcome: Some(written.outcome) }
            }
            Err(refusal) => refusal.into(),
        }
    }

    /// What `take` makes of the likeliest answer, or, where that is of no use, of one that is drawn: the likeliest text of a
    /// small model goes in circles now and then.
    fn code_for<T>(
        &self,
        asked: Asked<'_>,
        take: impl Fn(&Written) -> Result<T, Refusal>,
    ) -> Result<(Written, Result<T, Refusal>), Refusal> {
        let written = self.ask(CODE_ONLY, asked, Some(Sampling::GREEDY))?;
        let taken = take(&written);
        let is_of_no_use = matches!(
            taken,
            Err(Refusal::Unchanged | Refusal::NoCode | Refusal::Elided | Refusal::NoTests)
        );
        if !is_of_no_use {
            return Ok((written, taken));
        }
        let recommended = Some(self.config.sampling).filter(|it| *it != Sampling::GREEDY);
        let written = self.ask(CODE_ONLY, asked, Some(recommended.unwrap_or(DRAWN)))?;
        let taken = take(&written);
        Ok((written, taken))
    }

    /// The new code for the subject, as it is to stand in the document.
    fn code(
        &self,
        document: &Document,
        subject: &Subject,
        indent: &str,
        written: &Written,
    ) -> Result<String, Refusal> {
        let name = subject.item.as_ref().and_then(|item| item.name.as_deref());
        let code = extract::code(&written.text, document.language, name).ok_or(Refusal::NoCode)?;
        if extract::is_elided(&code) || written.is_cut() {
            return Err(Refusal::Elided);
        }
        let code = match (&subject.item, document.language) {
            (Some(item), Some(language)) => fit::only_item(language, &code, item),
            _ => code,
        };
        Ok(fit::indented(&code, &document.buffer, indent))
    }

    pub(crate) fn explain(&self, selection: &Range<usize>) -> ActionAnswer {
        let subject = match subject(self.document, selection, None) {
            Ok(subject) => subject,
            Err(refusal) => return refusal.into(),
        };
        let code = with_line_feeds(&self.document.buffer.slice(subject.range.clone())).into_owned();
        let about = self.about(&subject, "Explain what this code does and how.");
        let asked = Asked { about: &about, code: &code, sources: USED, limit: MAX_WORDS, old: "" };
        match self.ask(WORDS, asked, None) {
            Ok(written) => {
                let words = extract::words(&written.text);
                let effect = if words.is_empty() {
                    Err(Refusal::Reason(Reason::Empty))
                } else {
                    Ok(Effect::Show(words))
                };
                ActionAnswer { effect, raw: written.text, outcome: Some(written.outcome) }
            }
            Err(refusal) => refusal.into(),
        }
    }

    /// Writes tests for the code, to where tests of this language belong.
    pub(crate) fn tests(&self, selection: &Range<usize>) -> ActionAnswer {
        let document = self.document;
        let (Some(language), Some(path)) = (document.language, document.path.as_deref()) else {
            return Refusal::NoTestFile.into();
        };
        let subject = match subject(document, selection, None) {
            Ok(subject) => subject,
            Err(refusal) => return refusal.into(),
        };
        let code = with_line_feeds(&document.buffer.slice(subject.range.clone())).into_owned();
        let words = format!("Write unit tests for this {} code.", language.name());
        let about = self.about(&subject, &words);
        let name = subject.item.as_ref().and_then(|item| item.name.as_deref());
        let tests_in = |written: &Written| {
            let tests =
                extract::code(&written.text, Some(language), None).ok_or(Refusal::NoCode)?;
            if is_test_of(language, &tests, name) { Ok(tests) } else { Err(Refusal::NoTests) }
        };
        let asked = Asked {
            about: &about,
            code: &code,
            sources: USED.and(Sources::only(PieceKind::Test)),
            limit: MAX_WORDS,
            old: "",
        };
        let (written, tests) = match self.code_for(asked, tests_in) {
            Ok(answer) => answer,
            Err(refusal) => return refusal.into(),
        };
        let change =
            tests.and_then(|tests| placed(self.snapshot, document, language, path, &tests));
        let effect = change.map(Effect::Edit);
        ActionAnswer { effect, raw: written.text, outcome: Some(written.outcome) }
    }

    fn about<'s>(&'s self, subject: &Subject, words: &'s str) -> context::Subject<'s> {
        let (range, at) = (subject.range.clone(), subject.range.start);
        context::Subject { document: self.document, range, at, words, related: &[] }
    }

    /// What the user says: what of the repository may help where there is room for `n_background` tokens of it, the code, and what is to be
    /// done. A secret in any of them is nothing to be shown.
    fn request(&self, asked: Asked<'_>, n_background: usize) -> String {
        let document = asked.about.document;
        let sources = asked.sources.common(self.config.sources);
        let tokenizer = &self.writer.tokenizer;
        let pieces = background(self.snapshot, asked.about, tokenizer, sources, n_background);
        let mut request = String::new();
        if !pieces.is_empty() {
            request.push_str(REFERENCE);
            pieces.iter().for_each(|piece| request.push_str(&piece.text));
        }
        let path = document.path.as_deref().map(|path| self.snapshot.relative_path(path));
        let code = fenced(document.language, asked.code);
        let words = mask(asked.about.words);
        request + &format!("File `{}`:\n\n{code}\n{words}", path.unwrap_or_default())
    }

    /// With a `sampling` of its own the answer is code, and is opened as a fenced block, unless the model may want to think
    /// first; words are drawn as the authors of the model recommend.
    fn ask(
        &self,
        role: &str,
        asked: Asked<'_>,
        sampling: Option<Sampling>,
    ) -> Result<Written, Refusal> {
        let Asked { limit, old, .. } = asked;
        let code = sampling.is_some();
        let tokenizer = &self.writer.tokenizer;
        let message = |role: &str, content: &str| Message {
            role: role.to_owned(),
            content: content.to_owned(),
        };
        let opens = code && tokenizer.special("<think>").is_none();
        let language = self.document.language.map(Language::name).unwrap_or_default();
        let opening = if opens { format!("```{language}\n") } else { String::new() };
        let assumed = self.config.n_prompt + self.config.max_tokens;
        let encoded = |n_background: usize| -> Result<Vec<u32>, Refusal> {
            let request = self.request(asked, n_background);
            let messages = [message("system", role), message("user", &request)];
            let encoded = self.chat.encode(&messages, tokenizer);
            let mut tokens = encoded.map_err(|error| Reason::EngineError(error.to_string()))?;
            tokens.extend(tokenizer.encode_after(&tokens, &opening));
            Ok(tokens)
        };
        let order = |n_context: Option<usize>| -> Result<Order, Refusal> {
            let n_context = n_context.unwrap_or(assumed);
            let bare = encoded(0)?;
            let room = n_context.saturating_sub(bare.len());
            if room < LEAST {
                return Err(Refusal::TooLong);
            }
            // What may help comes after the code and a whole answer.
            let most = Budget::share(self.config.n_prompt).n_snippets;
            let n_background = most.min(room.saturating_sub(limit + N_REFERENCE));
            let tokens = if n_background == 0 { bare } else { encoded(n_background)? };
            Ok(Order {
                max_tokens: limit.min(n_context.saturating_sub(tokens.len())),
                tokens,
                sampling: sampling.unwrap_or(self.config.sampling),
                priority: Priority::Action,
                drafts: tokenizer.encode(old),
                ngrams: None,
                held_back: String::new(),
                keeps_markup: true,
            })
        };
        let written = self.writer.write(order, self.watch, |text, _| {
            let may_end = code && text.trim_end().ends_with(['`', '~']);
            (may_end && extract::is_complete(&format!("{opening}{text}"))).then_some(text.len())
        })?;
        let mut written = not_cancelled(written, self.watch)?;
        written.text.insert_str(0, &opening);
        written.stop = written.stop.map(|at| at + opening.len());
        Ok(written)
    }
}

/// What an instruction at `selection` is about; `behind` is where a comment with it stood.
fn subject(
    document: &Document,
    selection: &Range<usize>,
    behind: Option<usize>,
) -> Result<Subject, Refusal> {
    let buffer = &document.buffer;
    let selected = without_margins(buffer, selection);
    if !selected.is_empty() {
        let line = buffer.line_range(buffer.line_of(selected.start));
        let start =
            line.start + (buffer.slice(line.clone()).len() - buffer.slice(line).trim_start().len());
        return Ok(Subject { range: start.min(selected.start)..selected.end, item: None });
    }
    let tree = document.tree().ok_or(Refusal::NoGrammar)?;
    if let Some(range) = behind.and_then(|at| tree.statement_at(at)) {
        let item = tree.items(range.start).into_iter().find(|item| item.range == range);
        return Ok(Subject { range, item });
    }
    let items = tree.items(selection.start);
    let item = items.iter().find(|item| item.body.is_some()).or(items.first());
    match item {
        Some(item) => Ok(Subject { range: item.range.clone(), item: Some(item.clone()) }),
        None => {
            let line = buffer.line_range(buffer.line_of(selection.start));
            let range = tree.statement_at(line.start).ok_or(Refusal::NoItem)?;
            Ok(Subject { range, item: None })
        }
    }
}
