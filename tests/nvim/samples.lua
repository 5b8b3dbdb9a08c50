--- The files that the editor works on: text beyond ASCII, edits in it, and places where a person would pause.

---@class Edit From and to are a row and a byte column, both from 0.
---@field from integer[]
---@field to integer[]
---@field lines string[]

---@class Caret
---@field keys string Typed in normal mode; leaves the editor in insert mode at the place.

---@class Sample
---@field name string
---@field text string[]
---@field edits Edit[]
---@field bursts string[] Keys typed in normal mode, each ending there.
---@field carets Caret[]

---@type table<string, Sample>
return {
  rust = {
    name = 'café.rs',
    text = {
      '//! Words of the café: 漢字 and 🦀 among them.',
      '',
      'use std::collections::HashMap;',
      '',
      '/// Counts how often each word of `text` is there.',
      'pub fn count_words(text: &str) -> HashMap<String, usize> {',
      '    let mut counts = HashMap::new();',
      '    for word in text.split_whitespace() {',
      '        *counts.entry(word.to_string()).or_insert(0) += 1;',
      '    }',
      '    counts',
      '}',
      '',
      '/// The word that is there most often, 漢字 included.',
      'pub fn most_common(counts: &HashMap<String, usize>) -> Option<&String> {',
      '    let drink = "🦀 é 漢字";',
      '    assert!(!drink.is_empty());',
      '    counts.iter().max_by_key(|(_, count)| **count).map(|(word, _)| word)',
      '}',
    },
    edits = {
      -- Between 漢 and 字, after the crab, and over several lines at once.
      { from = { 15, 28 }, to = { 15, 28 }, lines = { 'é🦀' } },
      { from = { 15, 17 }, to = { 15, 21 }, lines = { '𝕏' } },
      {
        from = { 6, 4 },
        to = { 9, 5 },
        lines = {
          'let mut counts = HashMap::new(); // 🦀',
          "    for word in text.split('é') {",
          '        *counts.entry(word.to_string()).or_insert(0) += 1;',
          '    }',
        },
      },
      { from = { 0, 0 }, to = { 1, 0 }, lines = { '' } },
    },
    bursts = {
      'Gopub const CRAB: &str = "🦀 漢字 é";<Esc>',
      'ggOuse std::fmt;<Esc>jddu',
      'G$i<BS><BS>é<Left>🦀<Right>字<Esc>x',
      ':%s/🦀/漢/g<CR>',
      'gg>GuGyyp~',
    },
    carets = {
      { keys = 'Go<CR>pub fn add(left: usize, right: usize) -> usize {<CR>' },
      { keys = 'Go<CR>impl Counter {<CR>pub fn new() -> Self {<CR>' },
      { keys = 'Go<CR>fn main() {<CR>let mut counts = ' },
      { keys = 'Go<CR>use std::' },
      { keys = '/counts$<CR>O// é 漢字 🦀<CR><C-U>let total = counts.' },
    },
  },
  python = {
    name = '漢字.py',
    text = {
      '"""Words of the café: 漢字 and 🦀 among them."""',
      '',
      'import os',
      'from collections import Counter',
      '',
      '',
      'def count_words(text):',
      '    """Counts how often each word of `text` is there, é included."""',
      '    counts = Counter()',
      '    for word in text.split():',
      '        counts[word] += 1',
      '    return counts',
      '',
      '',
      'class Café:',
      '    def __init__(self, name, size):',
      '        self.name = name',
      '        self.size = size',
      '        self.drinks = ["🦀", "漢字", "é"]',
    },
    edits = {
      -- Between 漢 and 字, the crab itself, and over several lines at once.
      { from = { 18, 35 }, to = { 18, 35 }, lines = { 'é🦀' } },
      { from = { 18, 24 }, to = { 18, 28 }, lines = { '𝕏' } },
      {
        from = { 9, 4 },
        to = { 10, 25 },
        lines = { 'for word in text.split("🦀"):', '        counts[word] += 2  # 漢字', '' },
      },
      { from = { 4, 0 }, to = { 6, 0 }, lines = { '' } },
    },
    bursts = {
      'GoCRAB = "🦀 漢字 é"<Esc>',
      'ggOimport sys<Esc>jddu',
      'G$i<BS><BS>é<Left>🦀<Right>字<Esc>x',
      ':%s/🦀/漢/g<CR>',
      'gg>GuGyyp~',
    },
    carets = {
      { keys = 'Go<CR><C-U>def add(left, right):<CR>' },
      { keys = 'Go<CR><C-U>def read_lines(path):<CR>with open(path) as file:<CR>' },
      { keys = 'Go<CR><C-U>if __name__ == ' },
      { keys = 'Go<CR><C-U>import ' },
      { keys = '/return counts<CR>O# é 漢字 🦀<CR><C-U>    total = counts.' },
    },
  },
}
