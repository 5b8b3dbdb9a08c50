// What a newcomer does who has typed `code FILE`: takes the first suggestion and saves. tests/newcomer runs it.
//
// The extension and its settings are those of the home folder; CODE_SERVER, CHROMIUM and PICTURES as in `session.ts`.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import * as path from 'node:path';

import { CodeServer } from './code-server.js';
import { named } from './session.js';
import { Workbench } from './workbench.js';

async function main(file: string): Promise<void> {
  const machineFile = path.join(homedir(), '.local', 'share', 'code-server', 'Machine', 'settings.json');
  const codeServer = await CodeServer.start(named('CODE_SERVER'), [], machineFile);
  const workbench = await Workbench.start(named('CHROMIUM'), process.env.PICTURES);
  try {
    await workbench.open(codeServer.open(path.dirname(file), file), path.basename(file));
    console.log('the file is shown');
    await workbench.status(/Dacapo: (?!the server)/);
    console.log('the status bar says that the server is there');
    const before = await readFile(file, 'utf8');
    await workbench.press('Control+End', 'ArrowUp', 'End', 'Enter');
    await workbench.ghostText();
    console.log('grey text comes');
    await workbench.picture('vscode-newcomer');
    await workbench.press('Tab');
    await workbench.noGhostText();
    await workbench.press('Control+S');
    const isLonger = (text: string) => before.trimEnd().length < text.trimEnd().length;
    await workbench.until('the file on disk', () => readFile(file, 'utf8'), isLonger);
    console.log('it is taken and saved');
  } catch (error) {
    await workbench.picture('vscode-newcomer');
    throw error;
  } finally {
    await workbench.close();
    codeServer.stop();
  }
}

const [, , file] = process.argv;
assert.ok(file, 'no file is named');
void main(path.resolve(file));
