// Commands of the extension itself; those of the server are registered by the language client.
import * as vscode from 'vscode';

import { asMarkdown, type Explanation } from './explanation.js';
import type { Pages } from './pages.js';
import type { Pause } from './pause.js';
import type { Server } from './server.js';

const INVOKED = 1;

interface Parts {
  server: Server;
  pause: Pause;
  pages: Pages;
  output: vscode.LogOutputChannel;
}

export function registerCommands({ server, pause, pages, output }: Parts): { dispose(): unknown }[] {
  const command = (name: string, run: () => unknown) => vscode.commands.registerCommand(`dacapo.${name}`, run);
  return [
    command('restart', () => server.restart()),
    command('showOutput', () => { output.show(); }),
    command('pause', () => pause.set(true)),
    command('resume', () => pause.set(false)),
    command('explainSuggestion', () => explainSuggestion(server, pages)),
    command('menu', () => showMenu(server, pause)),
  ];
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
  await pages.show('suggestion', asMarkdown(place, explanation));
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
