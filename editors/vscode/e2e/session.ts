// A new project in a workbench of its own, and the checks that are made there.
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

export class Session {
  private nPassed = 0;

  private constructor(
    readonly workbench: Workbench,
    readonly codeServer: CodeServer,
    private readonly folder: string,
  ) {}

  /**
   * @param files texts by name.
   * @param settings of the machine, beside the path of the server.
   */
  static async run(
    files: Record<string, string>,
    settings: object,
    checks: (session: Session) => Promise<void>,
  ): Promise<void> {
    const home = await mkdtemp(path.join(os.tmpdir(), 'dacapo-vscode-'));
    const folder = path.join(home, 'project');
    await mkdir(folder);
    for (const [name, text] of Object.entries(files)) {
      await writeFile(path.join(folder, name), text);
    }
    // The daemon and the settings are those of the test alone.
    for (const name of ['XDG_RUNTIME_DIR', 'XDG_CONFIG_HOME', 'XDG_DATA_HOME', 'XDG_CACHE_HOME', 'XDG_STATE_HOME']) {
      process.env[name] = await mkdtemp(path.join(home, 'xdg-'));
    }
    const workbench = await Workbench.start(named('CHROMIUM'), process.env.PICTURES);
    let codeServer: CodeServer | undefined;
    try {
      const all = { 'dacapo.server.path': named('DACAPO'), ...settings };
      codeServer = await CodeServer.startIn(home, named('CODE_SERVER'), named('VSIX'), all);
      const session = new Session(workbench, codeServer, folder);
      await checks(session);
      console.log(`${session.nPassed} passed`);
    } catch (error) {
      await workbench.picture('vscode-failure');
      throw error;
    } finally {
      await workbench.close();
      codeServer?.stop();
      dacapo('daemon', 'stop');
      await rm(home, { recursive: true, force: true, maxRetries: 5 });
    }
  }

  async check(name: string, run: () => Promise<void>): Promise<void> {
    await run();
    this.nPassed += 1;
    console.log(`ok   ${name}`);
  }

  /** Shows the file and puts the cursor at its end, once the server is there. */
  async open(name: string): Promise<void> {
    await this.workbench.open(this.codeServer.open(this.folder, path.join(this.folder, name)), name);
    await this.workbench.status(/Dacapo: (?!the server)/);
  }

  /** Saves until the file is as wanted, and returns its text. */
  async saved(name: string, isGood: (text: string) => boolean): Promise<string> {
    await this.workbench.press('Control+S');
    // The workbench empties a file before it writes it.
    return this.workbench.until(name, () => this.text(name), (text) => text !== '' && isGood(text));
  }

  text(name: string): Promise<string> {
    return readFile(path.join(this.folder, name), 'utf8');
  }
}

/** What an environment variable says that must be there. */
export function named(variable: string): string {
  const value = process.env[variable];
  assert.ok(value, `${variable} is not set`);
  return value;
}

/** Runs the server's binary as a command, and returns what it prints. */
export function dacapo(...words: string[]): string {
  return spawnSync(named('DACAPO'), words, { encoding: 'utf8' }).stdout;
}
