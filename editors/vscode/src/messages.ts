// What the server tells a person: warnings are messages, words that were asked for are a page.
import * as vscode from 'vscode';
import { MessageType, type ShowMessageParams } from 'vscode-languageclient/node';

import type { Pages } from './pages.js';

export function showMessage({ type, message }: ShowMessageParams, pages: Pages): void {
  switch (type) {
    case MessageType.Error:
      void vscode.window.showErrorMessage(`Dacapo: ${message}`);
      break;
    case MessageType.Warning:
      void vscode.window.showWarningMessage(`Dacapo: ${message}`);
      break;
    default:
      void pages.show('explanation', message);
  }
}
