// `dacapo/explain` as a page: the suggestion or the reason for none, the prompt piece by piece, the timings.
import type { Range } from 'vscode-languageclient/node';

/** Answer to `dacapo/explain` (docs/lsp-extensions.md). */
export interface Explanation {
  suggestion: { text: string; range: Range; version: number } | null;
  reason: { code: string; message: string } | null;
  raw: string;
  stoppedBy: string;
  pieces: { kind: string; source: string; text: string; tokens: number }[];
  timings: { queuedMs: number; prefillMs: number; decodeMs: number } | null;
  promptTokens: { new: number; reused: number } | null;
}

/** @param place where it was asked, for the title. */
export function asMarkdown(place: string, explanation: Explanation): string {
  const { suggestion, reason, raw, stoppedBy, pieces, timings, promptTokens } = explanation;
  const parts = [`# ${place}`];
  if (suggestion !== null) {
    parts.push('## Suggestion', fenced(suggestion.text));
  }
  if (reason !== null) {
    parts.push('## No suggestion', `${reason.message} (\`${reason.code}\`)`);
  }
  parts.push('## The model', `Ended by: \`${stoppedBy}\`.`, raw === '' ? 'It wrote nothing.' : fenced(raw));
  if (timings !== null) {
    const milliseconds = (value: number) => `${value.toFixed(1)} ms`;
    parts.push(
      `Waited ${milliseconds(timings.queuedMs)}, read the prompt in ${milliseconds(timings.prefillMs)}, wrote in ${milliseconds(timings.decodeMs)}.`,
    );
  }
  if (promptTokens !== null) {
    parts.push(`Tokens of the prompt: ${promptTokens.new} read, ${promptTokens.reused} kept from before.`);
  }
  parts.push('## The prompt');
  for (const piece of pieces) {
    parts.push(`### ${piece.kind}, ${piece.tokens} tokens, from ${piece.source}`, fenced(piece.text));
  }
  return `${parts.join('\n\n')}\n`;
}

/** A fence that is longer than any run of backticks inside. */
function fenced(text: string): string {
  const longest = Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(Math.max(3, longest + 1));
  return `${fence}\n${text.replace(/\n$/, '')}\n${fence}`;
}
