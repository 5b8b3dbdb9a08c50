// Commands that the server runs: what they are told, and how a person sees them work.
import { randomUUID } from 'node:crypto';
import * as vscode from 'vscode';
import {
  ExecuteCommandRequest,
  ResponseError,
  WorkDoneProgress,
  type Code2ProtocolConverter,
  type LanguageClient,
} from 'vscode-languageclient/node';

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

/** Answer to a command (docs/lsp-extensions.md). */
interface ActionResult {
  applied: boolean;
}

/** How long the word about a cancelled action stands in the status bar. */
const SAID_MS = 8_000;

/** Runs a command with a notification that has a cancel button; failures are shown, and that it was cancelled. */
export async function runAction(client: LanguageClient, command: string, given: unknown[]): Promise<unknown> {
  const words = await argumentsOf(command, given, client.code2ProtocolConverter);
  if (words === undefined) {
    return undefined;
  }
  const title = `Dacapo: ${TITLES[command] ?? command}`;
  const options = { location: vscode.ProgressLocation.Notification, title, cancellable: true };
  return vscode.window.withProgress(options, async (progress, token) => {
    const workDoneToken = randomUUID();
    const watch = client.onProgress(WorkDoneProgress.type, workDoneToken, (work) => {
      if (work.kind === 'report' && work.message !== undefined) {
        progress.report({ message: work.message });
      }
    });
    const params = { command, arguments: words, workDoneToken };
    let result: ActionResult | undefined;
    try {
      result = (await client.sendRequest(ExecuteCommandRequest.type, params, token)) as ActionResult;
    } catch (error) {
      if (!token.isCancellationRequested) {
        const message = error instanceof ResponseError || error instanceof Error ? error.message : String(error);
        void vscode.window.showErrorMessage(`Dacapo: ${message}`);
      }
    } finally {
      watch.dispose();
    }
    if (token.isCancellationRequested && result?.applied !== true) {
      vscode.window.setStatusBarMessage(`$(circle-slash) ${title} was cancelled, nothing is changed`, SAID_MS);
    }
    return result;
  });
}

/**
 * The arguments of a command: those of a code action as they are, otherwise made from the active editor.
 *
 * `undefined` where there is no editor, or the person has thought better of it.
 */
async function argumentsOf(
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
    const instruction = await vscode.window.showInputBox({
      title: 'Dacapo: Edit by Instruction',
      prompt: selection.isEmpty ? 'What shall be changed here?' : 'What shall be changed in the selection?',
      placeHolder: 'return early where the list is empty',
    });
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

function isArgument(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'uri' in value && 'range' in value;
}
