// What is known of the server, as plain data.

/** Parameters of `dacapo/status` (docs/lsp-extensions.md). */
export interface StatusParams {
  busy: boolean;
  message: string;
  kind: 'Normal' | 'Inactive' | 'Warning' | 'Error';
  reason: string | null;
}

export type ServerState =
  | { kind: 'starting' }
  | { kind: 'running'; version: string; path: string; status: StatusParams | undefined }
  | { kind: 'failed'; message: string }
  | { kind: 'stopped' };
