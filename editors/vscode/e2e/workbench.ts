// The workbench in a headless Chromium: keys go in, what a person would see comes out.
import { mkdir } from 'node:fs/promises';
import * as path from 'node:path';
import { chromium, type Browser, type Locator, type Page } from 'playwright-core';

/** Limits are generous, for machines with much else to do; nothing waits longer than it must. */
const LIMIT_MS = 120_000;
const TYPE_AGAIN_MS = 8_000;
/** Until what moves stands still, for a picture. */
const SETTLED_MS = 600;
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export class Workbench {
  private constructor(
    private readonly browser: Browser,
    readonly page: Page,
    private readonly pictures: string | undefined,
  ) {}

  /** @param pictures a folder for pictures; none are taken without. */
  static async start(chromiumPath: string, pictures: string | undefined): Promise<Workbench> {
    const browser = await chromium.launch({ executablePath: chromiumPath, args: FLAGS, timeout: LIMIT_MS });
    const page = await browser.newPage({ viewport: { width: 900, height: 420 } });
    page.setDefaultTimeout(LIMIT_MS);
    return new Workbench(browser, page, pictures);
  }

  /** Shows the file and puts the cursor at its end. */
  async open(address: string, name: string): Promise<void> {
    await this.page.goto(address);
    await this.page.locator(`.tab.active[data-resource-name="${name}"]`).waitFor();
    await this.page.locator('.monaco-editor .view-lines').first().click();
    await this.press('Control+End');
  }

  async press(...keys: string[]): Promise<void> {
    for (const key of keys) {
      await this.page.keyboard.press(key);
    }
  }

  /** Types as a person does, one key after the other. */
  async type(text: string): Promise<void> {
    await this.page.keyboard.type(text, { delay: 40 });
  }

  /** The first line of the ghost text, once there is any; while there is none, a space is typed and taken back now and then. */
  async ghostText(): Promise<string> {
    const seen = async () => plain((await this.page.locator(GHOST).allTextContents()).join(''));
    let again = Date.now() + TYPE_AGAIN_MS;
    return this.until('the ghost text', async () => {
      if (again <= Date.now()) {
        await this.press('Space', 'Backspace');
        again = Date.now() + TYPE_AGAIN_MS;
      }
      return seen();
    }, (text) => text !== '');
  }

  async noGhostText(): Promise<void> {
    await this.page.locator(GHOST).first().waitFor({ state: 'detached' });
  }

  /** Runs a command of the palette by its whole title. */
  async command(title: string): Promise<void> {
    await this.press('F1');
    const input = this.page.locator('.quick-input-widget input.input');
    await input.waitFor();
    await input.fill(`>${title}`);
    await this.page.locator('.quick-input-list .monaco-list-row').filter({ hasText: title }).first().click();
  }

  /** Runs the code action of that title from the menu of the light-bulb. */
  async codeAction(title: string, picture: string): Promise<void> {
    const row = this.page.locator('.action-widget .monaco-list-row', { hasText: title });
    await this.until('the menu of actions', async () => {
      await this.press('Escape', 'Control+.');
      await this.page.waitForTimeout(2000);
      return row.isVisible();
    }, (isThere) => isThere);
    await this.picture(picture);
    await row.click();
  }

  /** Answers the box that asks for a line of text. */
  async answer(text: string, picture?: string): Promise<void> {
    const input = this.page.locator('.quick-input-widget input.input');
    await input.waitFor();
    await input.pressSequentially(text, { delay: 40 });
    if (picture !== undefined) {
      await this.picture(picture);
    }
    await input.press('Enter');
  }

  /** The notification with that text. */
  toast(text: string): Locator {
    return this.page.locator('.notification-toast', { hasText: text });
  }

  async clearToasts(): Promise<void> {
    await this.command('Notifications: Clear All Notifications');
  }

  /** The first lines of a page that the extension shows, once it is there. */
  async readPage(name: string): Promise<string> {
    await this.page.locator(`.tab[data-resource-name="${name}"]`).waitFor();
    const lines = this.page.locator('.editor-instance', { hasNot: this.page.locator('.cursor-primary') }).last();
    const text = async () => plain(await lines.locator('.view-lines').innerText());
    return this.until(name, text, (it) => it.trim() !== '');
  }

  /** What the first editor shows, to be compared with what it shows later. */
  async textOfEditor(): Promise<string> {
    return plain((await this.page.locator('.editor-instance .view-lines').first().innerText()));
  }

  /** Number of the last line that the editor shows. */
  async lineCount(): Promise<number> {
    const numbers = await this.page.locator('.editor-instance .line-numbers').allTextContents();
    return Math.max(0, ...numbers.map(Number));
  }

  /** What the item in the status bar says to a screen reader, once it matches. */
  async status(pattern: RegExp): Promise<string> {
    const item = this.page.locator('.statusbar-item[id*="dacapo.status"] a');
    return this.until('the status', async () => (await item.getAttribute('aria-label')) ?? '', (it) => pattern.test(it));
  }

  /** Asks again until the answer is as wanted. */
  async until<T>(what: string, ask: () => Promise<T>, isGood: (answer: T) => boolean): Promise<T> {
    const end = Date.now() + LIMIT_MS;
    for (;;) {
      const answer = await ask();
      if (isGood(answer)) {
        return answer;
      }
      if (end <= Date.now()) {
        throw new Error(`${what} stays ${JSON.stringify(answer)}`);
      }
      await this.page.waitForTimeout(100);
    }
  }

  async picture(name: string): Promise<void> {
    if (this.pictures !== undefined) {
      await mkdir(this.pictures, { recursive: true });
      await this.page.waitForTimeout(SETTLED_MS);
      await this.page.screenshot({ path: path.join(this.pictures, `${name}.png`) });
    }
  }

  async close(): Promise<void> {
    await this.browser.close();
  }
}

/** In the cursor's line alone: further lines of a suggestion are drawn elsewhere. */
const GHOST = '.view-line .ghost-text-decoration, .view-line .ghost-text-decoration-preview';

/** The workbench draws spaces as no-break spaces. */
function plain(text: string): string {
  return text.replaceAll('\u00a0', ' ');
}
