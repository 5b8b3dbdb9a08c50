// Whether suggestions are switched off in this window; remembered with the workspace.
import * as vscode from 'vscode';

const KEY = 'paused';

export class Pause implements vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onChange = this.changed.event;

  constructor(private readonly memory: vscode.Memento) {
    this.publish();
  }

  get isOn(): boolean {
    return this.memory.get(KEY, false);
  }

  async set(isOn: boolean): Promise<void> {
    await this.memory.update(KEY, isOn);
    this.publish();
    this.changed.fire();
  }

  dispose(): void {
    this.changed.dispose();
  }

  private publish(): void {
    void vscode.commands.executeCommand('setContext', 'dacapo.paused', this.isOn);
  }
}
