// A person at VS Code who edits by instructions, with a model that follows some; `session.ts` says what it needs.
//
// MODEL is a model with a chat template. It is small, so what it writes is not judged, and one of a few instructions that
// it follows is enough: that an edit is asked for, shown, applied, undone and cancelled is what counts.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';

import { dacapo, named, Session } from './session.js';

const INSTRUCTIONS = ['add a docstring', 'add type hints', 'return None for an empty list', 'use the function sum'];
const NAME = 'prices.py';
const TEXT = `def total(prices):
    result = 0
    for price in prices:
        result += price
    return result
`;

/** So long that the model writes for some time. */
const LONG_NAME = 'table.py';
const LONG_TEXT = `def table():
    rows = {}
${Array.from({ length: 60 }, (_, row) => `    rows["${row}"] = ${(row * 7919) % 1009}\n`).join('')}    return rows
`;

/** A daemon at rest takes less of a core than this, one that writes takes more. */
const REST = 0.2;

const WRONG_NAME = 'length.ts';
const WRONG_TEXT = `export function length(words: string[]): number {
  return words.size;
}
`;

async function checkAll(session: Session): Promise<void> {
  const { workbench } = session;
  const working = (what: string) => workbench.toast(`Dacapo: ${what}`);

  /** Waits for the end of an action; whether it changed the text. */
  const changes = async (what: string, before: string) => {
    await working(what).waitFor({ state: 'detached' });
    return (await workbench.textOfEditor()) !== before;
  };

  /** Tries the instructions until one is followed, and returns it. */
  const follow = async (ask: (instruction: string) => Promise<void>) => {
    for (const instruction of INSTRUCTIONS) {
      const before = await workbench.textOfEditor();
      await ask(instruction);
      if (await changes('editing', before)) {
        return instruction;
      }
      await workbench.clearToasts();
    }
    throw new Error(`the model follows none of ${INSTRUCTIONS.join(', ')}`);
  };

  const undo = async (name: string, changed: string, original: string) => {
    await workbench.press('Control+Z');
    assert.equal(await session.saved(name, (text) => text !== changed), original);
  };

  await session.check('an instruction changes the function, and is undone as one step', async () => {
    await session.open(NAME);
    await workbench.press('Control+Home');
    await follow(async (instruction) => {
      await workbench.press('Control+Alt+I');
      await workbench.answer(instruction, 'vscode-edit-question');
      await working('editing').waitFor();
    });
    await workbench.picture('vscode-edit');
    const changed = await session.saved(NAME, (text) => text !== TEXT);
    assert.match(changed, /def total/);
    await undo(NAME, changed, TEXT);
  });

  await session.check('a comment is followed from the menu, and taken away', async () => {
    await workbench.press('Control+Home', 'Enter', 'ArrowUp');
    const asked = (instruction: string) => `# dacapo: ${instruction}\n${TEXT}`;
    const followed = await follow(async (instruction) => {
      await workbench.press('End', 'Shift+Home');
      await workbench.type(`# dacapo: ${instruction}`);
      await workbench.press('Escape');
      await session.saved(NAME, (text) => text === asked(instruction));
      await workbench.codeAction(`Edit: ${instruction}`, 'vscode-edit-menu');
      await working('editing').waitFor();
    });
    const changed = await session.saved(NAME, (text) => text !== asked(followed));
    assert.ok(!changed.includes('dacapo:'), changed);
    assert.match(changed, /def total/);
    await undo(NAME, changed, asked(followed));
  });

  await session.check('an explanation is a page beside the code', async () => {
    const before = await session.text(NAME);
    await workbench.command('Dacapo: Explain Code');
    const words = await workbench.readPage('explanation.md');
    assert.ok(20 < words.length, words);
    await workbench.picture('vscode-explain');
    assert.equal(await session.text(NAME), before);
  });

  await session.check('the cancel button ends an edit, which says so and changes nothing', async () => {
    await session.open(LONG_NAME);
    await workbench.press('Control+Home', 'Control+Alt+I');
    await workbench.answer('explain each number in a comment behind it');
    await working('editing').filter({ hasText: /\d+ tokens/ }).waitFor();
    await workbench.picture('vscode-progress');
    const busy = await daemonLoad();
    assert.ok(REST < busy, `the daemon works no more: ${busy}`);
    await working('editing').hover();
    await working('editing').getByRole('button', { name: 'Cancel' }).click();
    await workbench.page.locator('.statusbar-item', { hasText: 'editing was cancelled, nothing is changed' }).waitFor();
    await workbench.picture('vscode-cancelled');
    await working('editing').waitFor({ state: 'detached' });
    const idle = await daemonLoad();
    assert.ok(idle <= REST, `the daemon still works: ${idle}`);
    assert.equal(await session.saved(LONG_NAME, () => true), LONG_TEXT);
  });

  await session.check('what a compiler says is mended from the menu, or a message says why not', async () => {
    await session.open(WRONG_NAME);
    await workbench.page.locator('.squiggly-error').waitFor();
    await workbench.press('Control+Home', 'F8');
    const before = await workbench.textOfEditor();
    await workbench.codeAction('Fix: ', 'vscode-fix-menu');
    await working('fixing').waitFor();
    if (await changes('fixing', before)) {
      await workbench.picture('vscode-fix');
      const changed = await session.saved(WRONG_NAME, (text) => text !== WRONG_TEXT);
      assert.match(changed, /function length/);
    } else {
      await workbench.toast('Dacapo: ').waitFor();
      await workbench.picture('vscode-fix');
    }
  });
}

/** How much of one core the daemon takes for a moment, by its process's times in ticks of a hundredth of a second. */
async function daemonLoad(): Promise<number> {
  const { processId } = JSON.parse(dacapo('daemon', 'status', '--json')) as { processId: number };
  const ticks = async () => {
    const [user = NaN, system = NaN] = (await readFile(`/proc/${processId}/stat`, 'utf8')).split(' ').slice(13, 15).map(Number);
    return user + system;
  };
  const before = await ticks();
  await setTimeout(1000);
  return (await ticks() - before) / 100;
}

const FILES = { [NAME]: TEXT, [LONG_NAME]: LONG_TEXT, [WRONG_NAME]: WRONG_TEXT };
void Session.run(FILES, { 'dacapo.model.name': named('MODEL'), 'dacapo.completion.automatic': false }, checkAll);
