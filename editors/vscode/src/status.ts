// The item in the status bar: the state in a picture, the reason in words.
import * as vscode from 'vscode';

import type { ServerState } from './state.js';

interface Look {
  icon: string;
  text: string;
  isError: boolean;
}

export class StatusItem implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem('dacapo.status', vscode.StatusBarAlignment.Right, 100);

  constructor() {
    this.item.name = 'Dacapo';
    this.item.command = 'dacapo.menu';
    this.show({ kind: 'starting' }, false);
    this.item.show();
  }

  show(state: ServerState, isPaused: boolean): void {
    const { icon, text, isError } = look(state, isPaused);
    this.item.text = `$(${icon}) Dacapo`;
    this.item.tooltip = tooltip(state, text);
    this.item.accessibilityInformation = { label: `Dacapo: ${text}`, role: 'button' };
    this.item.backgroundColor = isError ? new vscode.ThemeColor('statusBarItem.errorBackground') : undefined;
  }

  dispose(): void {
    this.item.dispose();
  }
}

function look(state: ServerState, isPaused: boolean): Look {
  switch (state.kind) {
    case 'starting':
      return { icon: 'loading~spin', text: 'the server is starting', isError: false };
    case 'stopped':
      return { icon: 'circle-slash', text: 'the server is stopped', isError: false };
    case 'failed':
      return { icon: 'error', text: state.message, isError: true };
    case 'running':
      return isPaused ? { icon: 'debug-pause', text: 'suggestions are paused', isError: false } : running(state.status);
  }
}

function running(status: (ServerState & { kind: 'running' })['status']): Look {
  if (status === undefined) {
    return { icon: 'check', text: 'ready', isError: false };
  }
  const text = status.message || (status.busy ? 'working' : 'ready');
  if (status.kind === 'Error') {
    return { icon: 'error', text, isError: true };
  }
  if (status.busy) {
    return { icon: 'loading~spin', text, isError: false };
  }
  if (status.kind === 'Warning') {
    return { icon: 'warning', text, isError: false };
  }
  return { icon: status.kind === 'Inactive' ? 'circle-outline' : 'check', text, isError: false };
}

function tooltip(state: ServerState, text: string): vscode.MarkdownString {
  const markdown = new vscode.MarkdownString(undefined, true);
  markdown.appendMarkdown('**Dacapo**\n\n').appendText(text);
  if (state.kind === 'running') {
    const reason = state.status?.reason;
    if (reason !== undefined && reason !== null) {
      markdown.appendMarkdown(`\n\nreason: \`${reason}\``);
    }
    markdown.appendMarkdown(`\n\nserver ${state.version}: `).appendText(state.path);
  }
  return markdown;
}
