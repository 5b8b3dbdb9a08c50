// Settings of VS Code: those of this extension, and those that are the server's.
import * as os from 'node:os';
import * as vscode from 'vscode';

const SECTION = 'dacapo';
/** Settings that the extension itself reads; all others are the server's. */
const OWN = ['server.path', 'server.arguments', 'trace.server'];

/** The setting `dacapo.server.path` with its variables replaced, or `undefined` where it is empty. */
export function serverPath(): string | undefined {
  const path = read('server.path', '').trim();
  if (path === '') {
    return undefined;
  }
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath ?? '';
  return path.replaceAll('${workspaceFolder}', folder).replace(/^~(?=$|[\\/])/, os.homedir());
}

export function serverArguments(): string[] {
  return read<string[]>('server.arguments', []);
}

/** Whether the server must be started anew to honour a change. */
export function affectsServerStart(event: vscode.ConfigurationChangeEvent): boolean {
  return ['server.path', 'server.arguments'].some((key) => event.affectsConfiguration(`${SECTION}.${key}`));
}

export function affectsServerSettings(event: vscode.ConfigurationChangeEvent, declared: string[]): boolean {
  return serverKeys(declared).some((key) => event.affectsConfiguration(`${SECTION}.${key}`));
}

/**
 * What a person has set of the server's settings, as a tree, and whether the folders are trusted.
 *
 * Defaults are left out: they would override the files in which the server looks for its settings.
 * So is what a folder says that is not trusted.
 */
export function serverSettings(declared: string[], scope?: vscode.Uri): Record<string, unknown> {
  const configuration = vscode.workspace.getConfiguration(SECTION, scope);
  const { isTrusted } = vscode.workspace;
  const settings: Record<string, unknown> = { trusted: isTrusted };
  for (const key of serverKeys(declared)) {
    const found = configuration.inspect(key);
    const ofFolder = isTrusted ? (found?.workspaceFolderValue ?? found?.workspaceValue) : undefined;
    const value = ofFolder ?? found?.globalValue;
    if (value !== undefined) {
      insert(settings, key.split('.'), value);
    }
  }
  return settings;
}

/** Names of all settings in the manifest, without the section. */
export function declaredSettings(manifest: unknown): string[] {
  const { contributes } = manifest as { contributes: { configuration: Contribution | Contribution[] } };
  const names = [contributes.configuration].flat().flatMap((part) => Object.keys(part.properties));
  return names.map((name) => name.slice(SECTION.length + 1));
}

interface Contribution {
  properties: Record<string, unknown>;
}

function serverKeys(declared: string[]): string[] {
  return declared.filter((key) => !OWN.includes(key));
}

function read<T>(key: string, otherwise: T): T {
  return vscode.workspace.getConfiguration(SECTION).get<T>(key) ?? otherwise;
}

function insert(tree: Record<string, unknown>, path: string[], value: unknown): void {
  const [name, ...rest] = path;
  if (name === undefined) {
    return;
  }
  if (rest.length === 0) {
    tree[name] = value;
    return;
  }
  const below = (tree[name] ??= {}) as Record<string, unknown>;
  insert(below, rest, value);
}
