// Which `dacapo` is started: found, asked for its version, and explained where it is missing.
import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';

const NAME = process.platform === 'win32' ? 'dacapo.exe' : 'dacapo';
const VERSION_LIMIT_MS = 15_000;

export interface Binary {
  path: string;
  version: string;
}

/** No server can be started; the message says the way out. */
export class MissingBinary extends Error {}

/** Where `cargo install` puts it; an editor that was not started from a shell often has it not on its `PATH`. */
const CARGO_FOLDER = path.join(process.env.CARGO_HOME ?? path.join(os.homedir(), '.cargo'), 'bin');

/**
 * The first that is there of: the setting, the one inside the extension, the one on the `PATH`, the one that Cargo installed.
 *
 * @throws {MissingBinary} where there is none, or what is there does not answer as dacapo would.
 */
export async function findBinary(fromSetting: string | undefined, extensionFolder: string): Promise<Binary> {
  if (fromSetting !== undefined) {
    if (!path.isAbsolute(fromSetting)) {
      throw new MissingBinary(`The setting dacapo.server.path is not an absolute path: ${fromSetting}`);
    }
    if (!(await isExecutable(fromSetting))) {
      throw new MissingBinary(`There is no program at ${fromSetting}, where the setting dacapo.server.path points to.`);
    }
    return { path: fromSetting, version: await versionOf(fromSetting) };
  }
  for (const folder of [path.join(extensionFolder, 'server'), ...searchPath(), CARGO_FOLDER]) {
    const place = path.join(folder, NAME);
    if (await isExecutable(place)) {
      return { path: place, version: await versionOf(place) };
    }
  }
  throw new MissingBinary(
    `The program dacapo is neither on the PATH nor in ${CARGO_FOLDER}. Install it, or name it in the setting dacapo.server.path.`,
  );
}

function searchPath(): string[] {
  return (process.env.PATH ?? '').split(path.delimiter).filter((folder) => path.isAbsolute(folder));
}

async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** What `dacapo --version` says: the name and the version. */
async function versionOf(file: string): Promise<string> {
  const text = await new Promise<string>((resolve, reject) => {
    execFile(file, ['--version'], { timeout: VERSION_LIMIT_MS }, (error, stdout, stderr) => {
      if (error) {
        reject(new MissingBinary(`${file} does not start: ${stderr.trim() || error.message}`));
      } else {
        resolve(stdout.trim());
      }
    });
  });
  const version = /^dacapo (\d+\.\d+\.\d+\S*)$/m.exec(text)?.[1];
  if (version === undefined) {
    throw new MissingBinary(`${file} is not dacapo: asked for its version it said "${text.slice(0, 80)}".`);
  }
  return version;
}

/** What to tell about a server whose version is not the extension's; `undefined` where they fit. */
export function versionProblem(server: string, extension: string): string | undefined {
  if (series(server) === series(extension)) {
    return undefined;
  }
  return `The server is version ${server}, this extension is version ${extension}: some features may not work. Install both from the same release.`;
}

/** Versions that speak the same: before 1.0 those of one minor version, then those of one major version. */
function series(version: string): string {
  const [major = '', minor = ''] = version.split('.');
  return major === '0' ? `0.${minor}` : major;
}
