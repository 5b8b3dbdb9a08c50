// A person at VS Code: types, sees ghost text, takes it, runs an action; the file on disk is what counts.
//
// DACAPO is the server, CODE_SERVER code-server's entry.js, CHROMIUM a browser, VSIX the packed extension.
// PICTURES, if set, is a folder for pictures of the workbench.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile, mkdir } from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';

import { CodeServer } from './code-server.js';
import { Workbench } from './workbench.js';

const NAME = 'rectangle.py';
const TEXT = `class Rectangle:
    def __init__(self, width, height):
        self.width = width`;

const ACTION_NAME = 'getters.py';
const ACTION_TEXT = `class Rectangle:
    def __init__(self, width, height):
        self.width = width
        self.height = height

    def get_width(self):
        return self.width

    def get_height(self):
`;

const ACTION_LINES = ACTION_TEXT.split('\n').length;

function named(variable: string): string {
  const value = process.env[variable];
  assert.ok(value, `${variable} is not set`);
  return value;
}

let passed = 0;
async function check(name: string, run: () => Promise<void>): Promise<void> {
  await run();
  passed += 1;
  console.log(`ok   ${name}`);
}

async function checkAll(workbench: Workbench, codeServer: CodeServer, folder: string): Promise<void> {
  const file = path.join(folder, NAME);
  const onDisk = async (isGood: (text: string) => boolean, name = NAME) => {
    await workbench.press('Control+S');
    return workbench.until('the file', () => readFile(path.join(folder, name), 'utf8'), isGood);
  };

  await check('the server is ready', async () => {
    await workbench.open(codeServer.open(folder, file), NAME);
    await workbench.status(/Dacapo: (ready|the model is loaded)/);
  });

  let taken = '';
  await check('ghost text comes while typing, and Tab takes it', async () => {
    await workbench.press('Enter');
    const ghost = await workbench.ghostText();
    await workbench.picture('vscode-ghost-text');
    await workbench.press('Tab');
    await workbench.noGhostText();
    taken = await onDisk((text) => text !== TEXT);
    assert.ok(taken.startsWith(`${TEXT}\n        ${ghost}`), taken);
  });

  await check('a word is taken alone, and Escape leaves the rest', async () => {
    await workbench.press('Control+Z', 'Control+Z', 'Control+End', 'Enter');
    const ghost = await workbench.ghostText();
    await workbench.press('Control+ArrowRight');
    const rest = await workbench.until('the rest', () => workbench.ghostText(), (text) => text.length < ghost.length);
    assert.ok(ghost.endsWith(rest), `${rest} is no rest of ${ghost}`);
    await workbench.press('Escape');
    await workbench.noGhostText();
    const word = ghost.slice(0, ghost.length - rest.length);
    assert.equal(await onDisk((text) => text !== taken), `${TEXT}\n        ${word}`);
  });

  await check('a page says why', async () => {
    await workbench.command('Dacapo: Why This Suggestion, or None?');
    await workbench.page.locator('.tab[data-resource-name="suggestion.md"]').waitFor();
    await workbench.page.locator('.view-lines', { hasText: 'The model' }).waitFor();
    await workbench.picture('vscode-why');
  });

  await check('a code action completes a body, and is undone as one step', async () => {
    await workbench.open(codeServer.open(folder, path.join(folder, ACTION_NAME)), ACTION_NAME);
    await workbench.status(/Dacapo: /);
    await workbench.press('ArrowUp', 'End');
    await workbench.codeAction('Complete this body', 'vscode-code-action');
    const lines = await workbench.until('the text', () => workbench.lineCount(), (count) => ACTION_LINES < count);
    assert.ok(ACTION_LINES < lines);
    const changed = await onDisk((text) => text !== ACTION_TEXT, ACTION_NAME);
    assert.ok(changed.startsWith(ACTION_TEXT.trimEnd()), changed);
    assert.match(changed, /def get_height\(self\):\n {8}\S/);
    await workbench.press('Control+Z');
    assert.equal(await onDisk((text) => text !== changed, ACTION_NAME), ACTION_TEXT);
  });

  await check('a server that is missing is said, with the way out', async () => {
    await codeServer.configure({ 'dacapo.server.path': '/nowhere/dacapo' });
    await workbench.status(/There is no program at \/nowhere\/dacapo/);
    await workbench.page.locator('.notification-toast', { hasText: '/nowhere/dacapo' }).waitFor();
    await workbench.picture('vscode-missing-server');
  });
}

async function main(): Promise<void> {
  const home = await mkdtemp(path.join(os.tmpdir(), 'dacapo-vscode-'));
  const folder = path.join(home, 'project');
  await mkdir(folder);
  await writeFile(path.join(folder, NAME), TEXT);
  await writeFile(path.join(folder, ACTION_NAME), ACTION_TEXT);
  const settings = { 'dacapo.server.path': named('DACAPO') };
  // The daemon and the settings are those of the test alone.
  for (const name of ['XDG_RUNTIME_DIR', 'XDG_CONFIG_HOME', 'XDG_DATA_HOME', 'XDG_CACHE_HOME']) {
    process.env[name] = await mkdtemp(path.join(home, 'xdg-'));
  }
  const workbench = await Workbench.start(named('CHROMIUM'), process.env.PICTURES);
  let codeServer: CodeServer | undefined;
  try {
    codeServer = await CodeServer.start(named('CODE_SERVER'), named('VSIX'), home, settings);
    await checkAll(workbench, codeServer, folder);
  } catch (error) {
    await workbench.picture('vscode-failure');
    throw error;
  } finally {
    await workbench.close();
    codeServer?.stop();
    spawnSync(named('DACAPO'), ['daemon', 'stop']);
    await rm(home, { recursive: true, force: true, maxRetries: 5 });
  }
  console.log(`${passed} passed`);
}

void main();
