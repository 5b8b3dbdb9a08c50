// The first suggestion: it was asked for before the model was there, and the editor does not ask again by itself.
import * as vscode from 'vscode';

import type { ServerState } from './state.js';

export class LoadingWatch {
  private wasLoading = false;
  /** The latest request, if it had no answer. */
  private missed: { document: vscode.TextDocument; explicit: boolean } | undefined;

  /** A request was answered; `explicit` if a person asked for it. */
  answered(document: vscode.TextDocument, explicit: boolean, isEmpty: boolean): void {
    this.missed = isEmpty ? { document, explicit } : undefined;
  }

  /** Asks once more when the model has just been loaded. */
  see(state: ServerState): void {
    const status = state.kind === 'running' ? state.status : undefined;
    const isLoading = status?.busy === true && status.reason === 'loading';
    const isLoaded = this.wasLoading && !isLoading && status !== undefined && status.kind !== 'Error';
    this.wasLoading = isLoading;
    if (!isLoaded || this.missed === undefined) {
      return;
    }
    const { document, explicit } = this.missed;
    this.missed = undefined;
    if (vscode.window.activeTextEditor?.document === document) {
      void vscode.commands.executeCommand('editor.action.inlineSuggest.trigger', { explicit });
    }
  }
}
