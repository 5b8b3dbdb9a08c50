// A person at VS Code: types, sees ghost text, takes it, runs an action; the file on disk is what counts.
//
// `session.ts` says what it needs.
import assert from 'node:assert/strict';

import { Session } from './session.js';

const NAME = 'rectangle.py';
const TEXT = `class Rectangle:
    def __init__(self, width, height):
        self.width = width`;

const LINES = TEXT.split('\n').length;

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

async function checkAll(session: Session): Promise<void> {
  const { workbench } = session;

  await session.check('the server is ready', async () => {
    await session.open(NAME);
    await workbench.status(/Dacapo: (ready|the model is loaded)/);
  });

  let taken = '';
  await session.check('ghost text comes while typing, and Tab takes it', async () => {
    await workbench.press('Enter');
    const ghost = await workbench.ghostText();
    await workbench.picture('vscode-ghost-text');
    await workbench.press('Tab');
    await workbench.noGhostText();
    taken = await session.saved(NAME, (text) => text !== TEXT);
    assert.ok(taken.startsWith(`${TEXT}\n        ${ghost}`), taken);
  });

  await session.check('a word is taken alone, and Escape leaves the rest', async () => {
    await workbench.until('the text that was there', async () => {
      await workbench.press('Control+Z');
      return workbench.lineCount();
    }, (count) => count === LINES);
    await workbench.press('Control+End', 'Enter');
    const ghost = await workbench.ghostText();
    await workbench.press('Control+ArrowRight');
    const rest = await workbench.until('the rest', () => workbench.ghostText(), (text) => text.length < ghost.length);
    assert.ok(ghost.endsWith(rest), `${rest} is no rest of ${ghost}`);
    await workbench.press('Escape');
    await workbench.noGhostText();
    const word = ghost.slice(0, ghost.length - rest.length);
    assert.equal(await session.saved(NAME, (text) => text !== taken), `${TEXT}\n        ${word}`);
  });

  await session.check('a page says why', async () => {
    await workbench.command('Dacapo: Why This Suggestion, or None?');
    assert.match(await workbench.readPage('suggestion.md'), /The model/);
    await workbench.picture('vscode-why');
  });

  await session.check('a code action completes a body, and is undone as one step', async () => {
    await session.open(ACTION_NAME);
    await workbench.press('ArrowUp', 'End');
    await workbench.codeAction('Complete this body', 'vscode-code-action');
    const lines = await workbench.until('the text', () => workbench.lineCount(), (count) => ACTION_LINES < count);
    assert.ok(ACTION_LINES < lines);
    const changed = await session.saved(ACTION_NAME, (text) => text !== ACTION_TEXT);
    assert.ok(changed.startsWith(ACTION_TEXT.trimEnd()), changed);
    assert.match(changed, /def get_height\(self\):\n {8}\S/);
    await workbench.press('Control+Z');
    assert.equal(await session.saved(ACTION_NAME, (text) => text !== changed), ACTION_TEXT);
  });

  await session.check('a server that is missing is said, with the way out', async () => {
    await session.codeServer.configure({ 'dacapo.server.path': '/nowhere/dacapo' });
    await workbench.status(/There is no program at \/nowhere\/dacapo/);
    await workbench.toast('/nowhere/dacapo').waitFor();
    await workbench.picture('vscode-missing-server');
  });
}

void Session.run({ [NAME]: TEXT, [ACTION_NAME]: ACTION_TEXT }, {}, checkAll);
