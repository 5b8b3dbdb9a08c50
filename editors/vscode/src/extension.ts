// Entry point: puts the parts together and nothing else.
import * as vscode from 'vscode';

import { registerCommands } from './commands.js';
import { LoadingWatch } from './loading.js';
import { Pages } from './pages.js';
import { Pause } from './pause.js';
import { affectsServerStart } from './settings.js';
import { Server } from './server.js';
import { StatusItem } from './status.js';

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const output = vscode.window.createOutputChannel('Dacapo', { log: true });
  const status = new StatusItem();
  const pause = new Pause(context.workspaceState);
  const loading = new LoadingWatch();
  const pages = new Pages();
  const server = new Server({ context, output, pause, pages, loading });
  context.subscriptions.push(
    output,
    status,
    pause,
    pages,
    server,
    server.onState((state) => {
      status.show(state, pause.isOn);
      loading.see(state);
    }),
    pause.onChange(() => { status.show(server.state, pause.isOn); }),
    vscode.workspace.onDidChangeConfiguration(async (event) => {
      if (affectsServerStart(event)) {
        await server.restart();
      }
    }),
    ...registerCommands({ server, pause, pages, output }),
  );
  await server.start();
}
