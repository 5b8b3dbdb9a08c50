// Commands of the extension itself; those of the server are registered by the language client.
import * as vscode from 'vscode';

import { asMarkdown, type Explanation } from './explanation.js';
import type { Pause } from './pause.js';
import type { Server } from './server.js';

const INVOKED = 1;
const SCHEME = 'dacapo-explanation';

export function registerCommands(server: Server, pause: Pause, output: vscode.LogOutputChannel): { dispose(): unknown }[] {
  const pages = new Pages();
  const command = (name: string, run: () => unknown) => vscode.commands.registerCommand(`dacapo.${name}`, run);
  return [
    pages,
    vscode.workspace.registerTextDocumentContentProvider(SCHEME, pages),
    command('restart', () => server.restart()),
    command('showOutput', () => { output.show(); }),
    command('pause', () => pause.set(true)),
    command('resume', () => pause.set(false)),
    command('explainSuggestion', () => explainSuggestion(server, pages)),
    command('menu', () => showMenu(server, pause)),
  ];
}

/** Pages that were made, by their address. */
class Pages implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.changed.event;
  private readonly texts = new Map<string, string>();

  set(uri: vscode.Uri, text: string): void {
    this.texts.set(uri.toString(), text);
    this.changed.fire(uri);
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.texts.get(uri.toString()) ?? '';
  }

  dispose(): void {
    this.changed.dispose();
  }
}

async function explainSuggestion(server: Server, pages: Pages): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  if (editor === undefined) {
    void vscode.window.showInformationMessage('Dacapo: open a file first.');
    return;
  }
  const { line, character } = editor.selection.active;
  const params = {
    textDocument: { uri: editor.document.uri.toString() },
    position: { line, character },
    triggerKind: INVOKED,
  };
  const explanation = await server.request<Explanation>('dacapo/explain', params);
  const place = `${vscode.workspace.asRelativePath(editor.document.uri)}:${line + 1}:${character + 1}`;
  const uri = vscode.Uri.from({ scheme: SCHEME, path: 'suggestion.md' });
  pages.set(uri, asMarkdown(place, explanation));
  await vscode.window.showTextDocument(uri, { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true });
}

interface Choice extends vscode.QuickPickItem {
  command: string;
  argument?: string;
}

async function showMenu(server: Server, pause: Pause): Promise<void> {
  const choices: Choice[] = [
    pause.isOn
      ? { label: '$(play) Resume suggestions', command: 'dacapo.resume' }
      : { label: '$(debug-pause) Pause suggestions', command: 'dacapo.pause' },
    { label: '$(question) Why this suggestion, or none?', command: 'dacapo.explainSuggestion' },
    { label: '$(debug-restart) Restart server', command: 'dacapo.restart' },
    { label: '$(output) Show output', command: 'dacapo.showOutput' },
    { label: '$(gear) Settings', command: 'workbench.action.openSettings', argument: 'dacapo.' },
  ];
  const isRunning = server.state.kind === 'running';
  const offered = choices.filter(({ command }) => isRunning || command !== 'dacapo.explainSuggestion');
  const choice = await vscode.window.showQuickPick(offered, { title: 'Dacapo' });
  if (choice !== undefined) {
    const words = choice.argument === undefined ? [] : [choice.argument];
    await vscode.commands.executeCommand(choice.command, ...words);
  }
}
