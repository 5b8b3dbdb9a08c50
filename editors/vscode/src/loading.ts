// The first suggestion: it was asked for before the model was there, and the editor does not ask again by itself.
import * as vscode from 'vscode';

import type { ServerState } from './state.js';

export class LoadingWatch {
  private wasLoading = false;

  /** Asks for a suggestion at the cursor when the model has just been loaded. */
  see(state: ServerState): void {
    const status = state.kind === 'running' ? state.status : undefined;
    const isLoading = status?.busy === true && status.reason === 'loading';
    if (this.wasLoading && !isLoading && status !== undefined && status.kind !== 'Error') {
      void vscode.commands.executeCommand('editor.action.inlineSuggest.trigger');
    }
    this.wasLoading = isLoading;
  }
}
