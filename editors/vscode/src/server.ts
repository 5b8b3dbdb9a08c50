// The server's life: found, started, watched, started again.
import * as vscode from 'vscode';
import { LanguageClient, ShowMessageNotification, State, type LanguageClientOptions } from 'vscode-languageclient/node';

import { runAction } from './actions.js';
import { findBinary, versionProblem, type Binary } from './binary.js';
import type { LoadingWatch } from './loading.js';
import { showMessage } from './messages.js';
import type { Pages } from './pages.js';
import type { Pause } from './pause.js';
import { affectsServerSettings, declaredSettings, serverArguments, serverPath, serverSettings } from './settings.js';
import type { ServerState, StatusParams } from './state.js';

const OPEN_SETTINGS = 'Open Settings';
const SHOW_OUTPUT = 'Show Output';
const RETRY = 'Retry';

interface Parts {
  context: vscode.ExtensionContext;
  output: vscode.LogOutputChannel;
  pause: Pause;
  pages: Pages;
  loading: LoadingWatch;
}

export class Server implements vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<ServerState>();
  readonly onState = this.changed.event;
  private readonly declared: string[];
  private readonly watches: vscode.Disposable[];
  private client: LanguageClient | undefined;
  private current: ServerState = { kind: 'stopped' };
  /** Starts and stops one after the other, however fast they are asked for. */
  private queue: Promise<void> = Promise.resolve();

  constructor(private readonly parts: Parts) {
    this.declared = declaredSettings(parts.context.extension.packageJSON);
    this.watches = [
      vscode.workspace.onDidChangeConfiguration(async (event) => {
        if (affectsServerSettings(event, this.declared)) {
          await this.sendSettings();
        }
      }),
      vscode.workspace.onDidGrantWorkspaceTrust(() => this.sendSettings()),
    ];
  }

  get state(): ServerState {
    return this.current;
  }

  start(): Promise<void> {
    return this.enqueue(() => this.launch());
  }

  restart(): Promise<void> {
    return this.enqueue(async () => {
      await this.halt();
      await this.launch();
    });
  }

  /** @throws if the server does not run, or answers with an error. */
  async request<Result>(method: string, params: unknown): Promise<Result> {
    if (this.client === undefined) {
      throw new Error('the server does not run');
    }
    return this.client.sendRequest<Result>(method, params);
  }

  dispose(): void {
    vscode.Disposable.from(...this.watches).dispose();
    this.changed.dispose();
    void this.enqueue(() => this.halt());
  }

  private async sendSettings(): Promise<void> {
    if (this.client?.isRunning() === true) {
      const settings = { dacapo: serverSettings(this.declared) };
      await this.client.sendNotification('workspace/didChangeConfiguration', { settings });
    }
  }

  private enqueue(work: () => Promise<void>): Promise<void> {
    this.queue = this.queue.then(work, work);
    return this.queue;
  }

  private async launch(): Promise<void> {
    this.become({ kind: 'starting' });
    let binary: Binary;
    try {
      binary = await findBinary(serverPath(), this.parts.context.extensionPath);
      await this.connect(binary);
    } catch (error) {
      this.fail(error instanceof Error ? error.message : String(error));
      return;
    }
    const problem = versionProblem(binary.version, (this.parts.context.extension.packageJSON as { version: string }).version);
    if (problem !== undefined) {
      this.parts.output.warn(problem);
      void this.offer(vscode.window.showWarningMessage(`Dacapo: ${problem}`, OPEN_SETTINGS));
    }
  }

  private async connect(binary: Binary): Promise<void> {
    const words = ['lsp', ...serverArguments()];
    this.parts.output.info(`starting ${binary.path} ${words.join(' ')} (version ${binary.version})`);
    const client: LanguageClient = new LanguageClient(
      'dacapo',
      'Dacapo',
      { command: binary.path, args: words },
      this.clientOptions(() => client),
    );
    this.client = client;
    client.onDidChangeState(({ newState }) => {
      if (newState === State.Running) {
        this.become({ kind: 'running', ...binary, status: undefined });
      } else if (newState === State.Stopped && this.client === client) {
        this.become({ kind: 'stopped' });
      }
    });
    client.onNotification('dacapo/status', (status: StatusParams) => {
      if (this.current.kind === 'running') {
        this.become({ ...this.current, status });
      }
    });
    client.onNotification(ShowMessageNotification.type, showMessage);
    await client.start();
  }

  private async halt(): Promise<void> {
    const { client } = this;
    this.client = undefined;
    if (client !== undefined) {
      await client.dispose();
      this.become({ kind: 'stopped' });
    }
  }

  private clientOptions(client: () => LanguageClient): LanguageClientOptions {
    return {
      documentSelector: [{ scheme: 'file' }, { scheme: 'untitled' }],
      outputChannel: this.parts.output,
      traceOutputChannel: this.parts.output,
      initializationOptions: () => ({ ...serverSettings(this.declared), status: true }),
      middleware: {
        // VS Code shows ghost text; the same suggestion in the menu would hide it.
        provideCompletionItem: () => null,
        provideInlineCompletionItems: async (document, position, context, token, next) => {
          if (this.parts.pause.isOn) {
            return null;
          }
          const items = await next(document, position, context, token);
          const nItems = (Array.isArray(items) ? items : (items?.items ?? [])).length;
          const isExplicit = context.triggerKind === vscode.InlineCompletionTriggerKind.Invoke;
          this.parts.loading.answered(document, isExplicit, nItems === 0);
          return items;
        },
        executeCommand: (command, given: unknown[]) => runAction(client(), command, given),
        workspace: {
          configuration: ({ items }) =>
            items.map(({ section, scopeUri }) =>
              section === 'dacapo'
                ? serverSettings(this.declared, scopeUri === undefined ? undefined : vscode.Uri.parse(scopeUri))
                : null,
            ),
        },
        window: {
          // As a page of ours: for a file outside the folder, VS Code may ask first whether its authors are trusted.
          showDocument: async ({ uri }) => {
            await this.parts.pages.showFile('explanation', vscode.Uri.parse(uri));
            return { success: true };
          },
        },
      },
    };
  }

  private fail(message: string): void {
    this.become({ kind: 'failed', message });
    this.parts.output.error(message);
    void this.offer(vscode.window.showErrorMessage(`Dacapo: ${message}`, OPEN_SETTINGS, SHOW_OUTPUT, RETRY));
  }

  private async offer(question: Thenable<string | undefined>): Promise<void> {
    switch (await question) {
      case OPEN_SETTINGS:
        await vscode.commands.executeCommand('workbench.action.openSettings', 'dacapo.server.path');
        break;
      case SHOW_OUTPUT:
        this.parts.output.show();
        break;
      case RETRY:
        await this.restart();
        break;
    }
  }

  private become(state: ServerState): void {
    this.current = state;
    void vscode.commands.executeCommand('setContext', 'dacapo.running', state.kind === 'running');
    this.changed.fire(state);
  }
}
