//! Code actions on the wire: what the client can take, and our edits in its form.

use std::collections::HashMap;

use assist::{Action, Offer};
use serde::{Deserialize, Serialize};
use text::{Buffer, Edit, Encoding};
use tower_lsp_server::ls_types::{
    AnnotatedTextEdit, ChangeAnnotation, CodeActionKind, CreateFile, CreateFileOptions, Diagnostic,
    DocumentChangeOperation, DocumentChanges, InitializeParams, OneOf,
    OptionalVersionedTextDocumentIdentifier, Range, ResourceOp, ResourceOperationKind,
    TextDocumentEdit, TextEdit, Uri, WorkspaceEdit,
};

use crate::proto::to;

/// Before the id of an action, in the name of its command.
const PREFIX: &str = "dacapo.";

/// Name of the one annotation that an edit may have.
const ANNOTATION: &str = "dacapo";

/// What the client told about code actions and edits at `initialize`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ActionFacts {
    /// Takes edits from the server; without it there are no actions.
    pub(crate) applies_edits: bool,
    /// Takes actions with a kind; others get bare commands.
    pub(crate) literals: bool,
    /// Shows actions that cannot be done now, with the reason.
    pub(crate) disabled: bool,
    /// Takes edits that name the version of a document.
    pub(crate) document_changes: bool,
    pub(crate) creates_files: bool,
    /// Asks the user before it makes an edit that says so.
    pub(crate) annotations: bool,
    pub(crate) progress: bool,
    pub(crate) shows_documents: bool,
    /// Its cursor is a selection of one character, so that one stands for a caret before it.
    pub(crate) block_cursor: bool,
}

/// Clients that send the character below the cursor as the range of an action.
const BLOCK_CURSORS: &[&str] = &["helix"];

pub(crate) fn action_facts(params: &InitializeParams) -> ActionFacts {
    let capabilities = &params.capabilities;
    let workspace = capabilities.workspace.as_ref();
    let edit = workspace.and_then(|it| it.workspace_edit.as_ref());
    let action = capabilities.text_document.as_ref().and_then(|it| it.code_action.as_ref());
    let window = capabilities.window.as_ref();
    let document_changes = edit.and_then(|it| it.document_changes).unwrap_or(false);
    ActionFacts {
        applies_edits: workspace.and_then(|it| it.apply_edit).unwrap_or(false),
        literals: action.is_some_and(|it| it.code_action_literal_support.is_some()),
        disabled: action.and_then(|it| it.disabled_support).unwrap_or(false),
        document_changes,
        creates_files: edit
            .and_then(|it| it.resource_operations.as_ref())
            .is_some_and(|kinds| kinds.contains(&ResourceOperationKind::Create)),
        annotations: document_changes
            && edit.is_some_and(|it| it.change_annotation_support.is_some()),
        progress: window.and_then(|it| it.work_done_progress).unwrap_or(false),
        shows_documents: window
            .and_then(|it| it.show_document.as_ref())
            .is_some_and(|it| it.support),
        block_cursor: params
            .client_info
            .as_ref()
            .is_some_and(|client| BLOCK_CURSORS.contains(&client.name.as_str())),
    }
}

/// The one argument of each command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Argument {
    pub(crate) uri: Uri,
    pub(crate) range: Range,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) instruction: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) diagnostic: Option<Diagnostic>,
}

/// What a command came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CommandResult {
    pub(crate) applied: bool,
    /// Why nothing was changed; `null` where something was.
    pub(crate) reason: Option<CommandReason>,
    /// Words in Markdown, of an action that changes nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct CommandReason {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

pub(crate) fn commands() -> Vec<String> {
    Action::ALL.into_iter().map(command).collect()
}

pub(crate) fn command(action: Action) -> String {
    format!("{PREFIX}{}", action.id())
}

pub(crate) fn action(command: &str) -> Option<Action> {
    let id = command.strip_prefix(PREFIX)?;
    Action::ALL.into_iter().find(|action| action.id() == id)
}

/// The kinds of the protocol as they stand, for some clients compare whole kinds.
pub(crate) fn kind(action: Action) -> CodeActionKind {
    match action {
        Action::Complete | Action::Rewrite | Action::Document | Action::Edit | Action::NextEdit => {
            CodeActionKind::REFACTOR_REWRITE
        }
        Action::Fix => CodeActionKind::QUICKFIX,
        Action::Tests | Action::Explain => CodeActionKind::SOURCE,
    }
}

pub(crate) fn kinds() -> Vec<CodeActionKind> {
    let mut kinds: Vec<CodeActionKind> = Vec::new();
    for kind in Action::ALL.into_iter().map(kind) {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds
}

/// Whether `only` asks for this offer: a kind stands for all that are below it (LSP 3.17, `CodeActionKind`).
pub(crate) fn is_wanted(offer: &Offer, only: Option<&[CodeActionKind]>) -> bool {
    let kind = kind(offer.action);
    only.is_none_or(|only| {
        only.iter().any(|wanted| {
            let rest = kind.as_str().strip_prefix(wanted.as_str());
            rest.is_some_and(|rest| {
                rest.is_empty() || rest.starts_with('.') || wanted.as_str().is_empty()
            })
        })
    })
}

/// Edits of one document or file.
#[derive(Debug)]
pub(crate) struct Edits<'a> {
    pub(crate) uri: Uri,
    /// `None` for a file that is not open.
    pub(crate) version: Option<i32>,
    /// The text they are for.
    pub(crate) before: &'a Buffer,
    pub(crate) edits: &'a [Edit],
    pub(crate) creates: bool,
    /// What the user is to be asked first.
    pub(crate) question: Option<String>,
}

pub(crate) fn workspace_edit(
    facts: &ActionFacts,
    encoding: Encoding,
    edits: Edits<'_>,
) -> WorkspaceEdit {
    let text_edits = edits.edits.iter().map(|edit| TextEdit {
        range: to::range(edits.before, encoding, &edit.range),
        new_text: edit.text.clone(),
    });
    if !facts.document_changes {
        let changes = HashMap::from([(edits.uri, text_edits.collect())]);
        return WorkspaceEdit { changes: Some(changes), ..WorkspaceEdit::default() };
    }
    let question = edits.question.filter(|_| facts.annotations);
    let text_edits = text_edits.map(|text_edit| match &question {
        Some(_) => OneOf::Right(AnnotatedTextEdit { text_edit, annotation_id: ANNOTATION.into() }),
        None => OneOf::Left(text_edit),
    });
    let document_edit = TextDocumentEdit {
        text_document: OptionalVersionedTextDocumentIdentifier {
            uri: edits.uri.clone(),
            version: edits.version,
        },
        edits: text_edits.collect(),
    };
    let document_changes = if edits.creates && facts.creates_files {
        let options = CreateFileOptions { overwrite: Some(false), ignore_if_exists: Some(true) };
        let create = CreateFile { uri: edits.uri, options: Some(options), annotation_id: None };
        DocumentChanges::Operations(vec![
            DocumentChangeOperation::Op(ResourceOp::Create(create)),
            DocumentChangeOperation::Edit(document_edit),
        ])
    } else {
        DocumentChanges::Edits(vec![document_edit])
    };
    let change_annotations = question.map(|question| {
        let annotation = ChangeAnnotation {
            label: "Dacapo".into(),
            needs_confirmation: Some(true),
            description: Some(question),
        };
        HashMap::from([(ANNOTATION.to_owned(), annotation)])
    });
    WorkspaceEdit { changes: None, document_changes: Some(document_changes), change_annotations }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn facts(capabilities: Value) -> ActionFacts {
        action_facts(&serde_json::from_value(json!({"capabilities": capabilities})).unwrap())
    }

    #[test]
    fn facts_are_read_from_the_capabilities() {
        assert_eq!(facts(json!({})), ActionFacts::default());
        let all = facts(json!({
            "workspace": {
                "applyEdit": true,
                "workspaceEdit": {
                    "documentChanges": true,
                    "resourceOperations": ["create"],
                    "changeAnnotationSupport": {},
                },
            },
            "textDocument": {"codeAction": {
                "codeActionLiteralSupport": {"codeActionKind": {"valueSet": [""]}},
                "disabledSupport": true,
            }},
            "window": {"workDoneProgress": true, "showDocument": {"support": true}},
        }));
        let expected = ActionFacts {
            applies_edits: true,
            literals: true,
            disabled: true,
            document_changes: true,
            creates_files: true,
            annotations: true,
            progress: true,
            shows_documents: true,
            block_cursor: false,
        };
        assert_eq!(all, expected);
    }

    #[test]
    fn a_kind_stands_for_those_below_it() {
        let offer = Offer {
            action: Action::Rewrite,
            title: String::new(),
            diagnostic: None,
            disabled: None,
        };
        let wanted = |only: &'static str| is_wanted(&offer, Some(&[CodeActionKind::new(only)]));
        assert!(wanted("refactor") && wanted("refactor.rewrite") && wanted(""));
        assert!(!wanted("refactor.re") && !wanted("quickfix") && !wanted("refactor.rewrite.more"));
        assert!(is_wanted(&offer, None));
        assert!(!is_wanted(&offer, Some(&[])));
    }

    #[test]
    fn commands_and_actions_correspond() {
        for action in Action::ALL {
            assert_eq!(super::action(&command(action)), Some(action));
        }
        assert_eq!(action("dacapo.dance"), None);
        assert_eq!(action("complete"), None);
    }

    #[track_caller]
    fn check_edit(facts: ActionFacts, creates: bool, expected: &Value) {
        let before = Buffer::from("é𝄞b\n");
        let edits = [Edit { range: 6..7, text: "c".into() }];
        let edit = workspace_edit(
            &facts,
            Encoding::Utf16,
            Edits {
                uri: "file:///a.rs".parse().unwrap(),
                version: Some(3),
                before: &before,
                edits: &edits,
                creates,
                question: Some("Sure?".into()),
            },
        );
        assert_eq!(serde_json::to_value(edit).unwrap(), *expected);
    }

    #[test]
    fn edits_take_the_form_that_the_client_knows() {
        let edit = json!({
            "range": {"start": {"line": 0, "character": 3}, "end": {"line": 0, "character": 4}},
            "newText": "c",
        });
        let document = json!({"uri": "file:///a.rs", "version": 3});
        let changes = json!({"changes": {"file:///a.rs": [edit]}});
        check_edit(ActionFacts::default(), false, &changes);
        let versioned = ActionFacts { document_changes: true, ..ActionFacts::default() };
        let changes = json!({"documentChanges": [{"textDocument": document, "edits": [edit]}]});
        check_edit(versioned, false, &changes);
        check_edit(versioned, true, &changes);
        let all = ActionFacts { annotations: true, creates_files: true, ..versioned };
        let mut annotated = edit;
        annotated["annotationId"] = "dacapo".into();
        let annotations = json!({"dacapo": {
            "label": "Dacapo",
            "needsConfirmation": true,
            "description": "Sure?",
        }});
        let create = json!({
            "kind": "create",
            "uri": "file:///a.rs",
            "options": {"overwrite": false, "ignoreIfExists": true},
        });
        let changes = json!([create, {"textDocument": document, "edits": [annotated]}]);
        check_edit(
            all,
            true,
            &json!({"documentChanges": changes, "changeAnnotations": annotations}),
        );
    }
}
