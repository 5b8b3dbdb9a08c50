// Commands that the server runs: what they are told, and how a person sees them work.
import * as vscode from 'vscode';
import { ResponseError, type Code2ProtocolConverter } from 'vscode-languageclient/node';

const TITLES: Record<string, string> = {
  'dacapo.complete': 'completing',
  'dacapo.rewrite': 'rewriting the selection',
  'dacapo.document': 'documenting',
  'dacapo.fix': 'fixing',
  'dacapo.edit': 'editing',
  'dacapo.tests': 'writing tests',
  'dacapo.explain': 'explaining',
  'dacapo.nextEdit': 'looking for the next edit',
};

/** The one argument of an action, as the server takes it. */
interface ActionArgument {
  uri: string;
  range: unknown;
  instruction?: string;
  diagnostic?: unknown;
}

/**
 * The arguments of a command: those of a code action as they are, otherwise made from the active editor.
 *
 * `undefined` where there is no editor, or the person has thought better of it.
 */
export async function argumentsOf(
  command: string,
  given: unknown[],
  convert: Code2ProtocolConverter,
): Promise<unknown[] | undefined> {
  if (!(command in TITLES) || isArgument(given[0])) {
    return given;
  }
  const editor = vscode.window.activeTextEditor;
  if (editor === undefined) {
    void vscode.window.showInformationMessage('Dacapo: open a file first.');
    return undefined;
  }
  const { document, selection } = editor;
  const argument: ActionArgument = { uri: convert.asUri(document.uri), range: convert.asRange(selection) };
  if (command === 'dacapo.edit') {
    const instruction = await vscode.window.showInputBox({ title: 'Dacapo', prompt: 'What shall be changed?' });
    if (instruction === undefined || instruction.trim() === '') {
      return undefined;
    }
    argument.instruction = instruction;
  }
  if (command === 'dacapo.fix') {
    const all = vscode.languages.getDiagnostics(document.uri);
    const diagnostic = all.find((it) => it.range.intersection(selection) !== undefined);
    if (diagnostic === undefined) {
      void vscode.window.showInformationMessage('Dacapo: there is no diagnostic at the cursor.');
      return undefined;
    }
    argument.diagnostic = convert.asDiagnostic(diagnostic);
    argument.range = convert.asRange(diagnostic.range);
  }
  return [argument];
}

/** Runs a command with a notification that has a cancel button; failures are shown, a cancelled command is silent. */
export async function withProgress(
  command: string,
  run: (token: vscode.CancellationToken) => Promise<unknown>,
): Promise<unknown> {
  const title = `Dacapo: ${TITLES[command] ?? command}`;
  const options = { location: vscode.ProgressLocation.Notification, title, cancellable: true };
  return vscode.window.withProgress(options, async (_, token) => {
    try {
      return await run(token);
    } catch (error) {
      if (!token.isCancellationRequested) {
        const message = error instanceof ResponseError || error instanceof Error ? error.message : String(error);
        void vscode.window.showErrorMessage(`Dacapo: ${message}`);
      }
      return undefined;
    }
  });
}

function isArgument(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'uri' in value && 'range' in value;
}
