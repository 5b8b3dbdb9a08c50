// VS Code's workbench as a local web server: code-server with folders of its own.
import { spawn, execFile, type ChildProcess } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import * as path from 'node:path';
import { promisify } from 'node:util';

const START_MS = 120_000;
const LISTENING = /HTTP server listening on (http:\/\/\S+)/;

const SETTINGS = {
  'chat.disableAIFeatures': true,
  'editor.minimap.enabled': false,
  'extensions.autoUpdate': false,
  'files.autoSave': 'off',
  'security.workspace.trust.enabled': false,
  'telemetry.telemetryLevel': 'off',
  'window.commandCenter': false,
  'workbench.startupEditor': 'none',
  'workbench.reduceMotion': 'on',
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'workbench.tips.enabled': false,
};

export class CodeServer {
  private constructor(
    private readonly process: ChildProcess,
    readonly address: string,
    private readonly machineFile: string,
  ) {}

  /**
   * Installs the extension in folders of its own, and starts.
   *
   * @param entry code-server's `entry.js`; it runs in the Node that runs this.
   * @param home an empty folder.
   * @param settings those of the machine: a workbench in a browser takes paths of programs from nowhere else.
   */
  static async startIn(home: string, entry: string, vsix: string, settings: object): Promise<CodeServer> {
    const data = path.join(home, 'data');
    const folders = ['--user-data-dir', data, '--extensions-dir', path.join(home, 'extensions')];
    const machineFile = path.join(data, 'Machine', 'settings.json');
    await write(path.join(data, 'User', 'settings.json'), SETTINGS);
    await write(machineFile, settings);
    await promisify(execFile)(process.execPath, [entry, ...folders, '--install-extension', vsix]);
    return CodeServer.start(entry, folders, machineFile);
  }

  /** @param folders words that say where settings and extensions are. */
  static async start(entry: string, folders: string[], machineFile: string): Promise<CodeServer> {
    const words = ['--auth', 'none', '--bind-addr', '127.0.0.1:0', '--disable-telemetry', '--disable-update-check'];
    const more = ['--disable-workspace-trust', '--disable-getting-started-override'];
    // A group of its own, so that the end takes the extension host and the language server along.
    const child = spawn(process.execPath, [entry, ...folders, ...words, ...more], { detached: true });
    try {
      return new CodeServer(child, await addressOf(child), machineFile);
    } catch (error) {
      kill(child);
      throw error;
    }
  }

  /** Rewrites the settings of the machine, as a person does who edits the file. */
  async configure(settings: object): Promise<void> {
    await write(this.machineFile, settings);
  }

  /** The address that shows `folder` with `file` open. */
  open(folder: string, file: string): string {
    const payload = JSON.stringify([['openFile', `vscode-remote://${new URL(this.address).host}${file}`]]);
    return `${this.address}/?${new URLSearchParams({ folder, payload }).toString()}`;
  }

  stop(): void {
    kill(this.process);
  }
}

async function write(file: string, settings: object): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, JSON.stringify(settings, undefined, 2));
}

function kill(child: ChildProcess): void {
  if (child.pid !== undefined && child.exitCode === null) {
    process.kill(-child.pid, 'SIGKILL');
  }
}

async function addressOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    const timer = setTimeout(() => { reject(new Error(`code-server does not listen; it said: ${said}`)); }, START_MS);
    const hear = (data: Buffer) => {
      said += data.toString();
      const address = LISTENING.exec(said)?.[1];
      if (address !== undefined) {
        clearTimeout(timer);
        resolve(address.replace(/\/$/, ''));
      }
    };
    child.stdout?.on('data', hear);
    child.stderr?.on('data', hear);
    child.on('exit', (code) => {
      clearTimeout(timer);
      reject(new Error(`code-server ended with ${code ?? 'a signal'}; it said: ${said}`));
    });
  });
}
