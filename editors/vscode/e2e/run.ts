// A person at VS Code: types, sees ghost text, takes it, runs an action; the file on disk is what counts.
//
// DACAPO is the server, CODE_SERVER code-server's entry.js, CHROMIUM a browser, VSIX the packed extension.
// PICTURES, if set, is a folder for pictures of the workbench.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile, mkdir } from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';

import { CodeServer } from './code-server.js';
import { Workbench } from './workbench.js';

const NAME = 'rectangle.py';
const TEXT = `class Rectangle:
    def __init__(self, width, height):
        self.width = width`;

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
  const onDisk = async (isGood: (text: string) => boolean) => {
    await workbench.press('Control+S');
    return workbench.until('the file', () => readFile(file, 'utf8'), isGood);
  };

  await check('the server is ready', async () => {
    await workbench.open(codeServer.open(folder, file), NAME);
    await workbench.status(/Dacapo: (ready|the model is loaded)/);
  });

  let taken = '';
  await check('ghost text comes while typing, and Tab takes it', async () => {
    await workbench.press('Enter');
    const ghost = await workbench.ghostText();
    await workbench.picture('ghost-text');
    await workbench.press('Tab');
    await workbench.noGhostText();
    taken = `${TEXT}\n        ${ghost}`;
    assert.equal(await onDisk((text) => text !== TEXT), taken);
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
}

async function main(): Promise<void> {
  const home = await mkdtemp(path.join(os.tmpdir(), 'dacapo-vscode-'));
  const folder = path.join(home, 'project');
  await mkdir(folder);
  await writeFile(path.join(folder, NAME), TEXT);
  const settings = { 'dacapo.server.path': named('DACAPO') };
  const workbench = await Workbench.start(named('CHROMIUM'), process.env.PICTURES);
  let codeServer: CodeServer | undefined;
  try {
    codeServer = await CodeServer.start(named('CODE_SERVER'), named('VSIX'), home, settings);
    await checkAll(workbench, codeServer, folder);
  } catch (error) {
    await workbench.picture('failure');
    throw error;
  } finally {
    await workbench.close();
    codeServer?.stop();
    await rm(home, { recursive: true, force: true, maxRetries: 5 });
  }
  console.log(`${passed} passed`);
}

void main();
