// Pages to read, in Markdown and beside the code: an explanation, or why there is a suggestion.
import * as vscode from 'vscode';

const SCHEME = 'dacapo-page';

export class Pages implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.changed.event;
  private readonly texts = new Map<string, string>();
  private readonly registration = vscode.workspace.registerTextDocumentContentProvider(SCHEME, this);

  /**
   * As text and not rendered: a picture in what a model wrote would be fetched from wherever it says.
   *
   * @param name stands in the tab; a page of the same name is replaced.
   */
  async show(name: string, markdown: string): Promise<void> {
    const uri = vscode.Uri.from({ scheme: SCHEME, path: `${name}.md` });
    this.texts.set(uri.toString(), markdown);
    this.changed.fire(uri);
    await vscode.window.showTextDocument(uri, { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true });
  }

  /** The file as it is now; it may go afterwards. */
  async showFile(name: string, file: vscode.Uri): Promise<void> {
    await this.show(name, new TextDecoder().decode(await vscode.workspace.fs.readFile(file)));
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.texts.get(uri.toString()) ?? '';
  }

  dispose(): void {
    this.registration.dispose();
    this.changed.dispose();
  }
}
