// What the server tells a person, in the editor's own messages.
import * as vscode from 'vscode';
import { MessageType, type ShowMessageParams } from 'vscode-languageclient/node';

export function showMessage({ type, message }: ShowMessageParams): void {
  const words = `Dacapo: ${message}`;
  switch (type) {
    case MessageType.Error:
      void vscode.window.showErrorMessage(words);
      break;
    case MessageType.Warning:
      void vscode.window.showWarningMessage(words);
      break;
    default:
      void vscode.window.showInformationMessage(words);
  }
}
