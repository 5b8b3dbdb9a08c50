--- Ghost text against a scripted server: `nvim --headless --clean -l tests/nvim/ghost_spec.lua`.

local here = vim.fs.dirname(vim.uv.fs_realpath(debug.getinfo(1, 'S').source:sub(2)))
local Editor = dofile(vim.fs.joinpath(here, 'editor.lua'))
local Report = dofile(vim.fs.joinpath(here, 'report.lua'))
local plugin = vim.fs.normalize(vim.fs.joinpath(here, '../../editors/nvim'))

local SHOWN_MS = 20000

---@class Case
---@field name string
---@field text string[] With `|` where the cursor is.
---@field items { text: string, from?: integer, to?: integer }[] Characters in the line of the cursor; the cursor by default.
---@field encoding? string
---@field keys? string Typed once the first ghost is shown.
---@field first? string[] Ghost text before the keys.
---@field ghost? string[] Ghost text after them; none by default.
---@field lines? string[] Buffer after them.
---@field asked? integer[] Kinds of all requests.

---@type Case[]
local cases = {
  {
    name = 'the rest of a line',
    text = { 'let |' },
    items = { { text = 'x = 1;' } },
    first = { 'x = 1;' },
    keys = '<Tab>',
    lines = { 'let x = 1;|' },
  },
  {
    name = 'several lines',
    text = { 'fn f() {|', '}' },
    items = { { text = '\n\tg();\n\th();' } },
    first = { '', '        g();', '        h();' },
    keys = '<Tab>',
    lines = { 'fn f() {', '\tg();', '\th();|', '}' },
  },
  {
    name = 'the range holds what is typed',
    text = { '  self.he|' },
    items = { { text = 'self.height', from = 2, to = 9 } },
    first = { 'ight' },
    keys = '<Tab>',
    lines = { '  self.height|' },
  },
  {
    name = 'the end is there already',
    text = { 'f(|)' },
    items = { { text = 'a, b)', from = 2, to = 3 } },
    first = { 'a, b' },
    keys = '<Tab>',
    lines = { 'f(a, b)|' },
  },
  {
    name = 'columns are those of UTF-16',
    encoding = 'utf-16',
    text = { '🦀 = é|' },
    items = { { text = '🦀 = école', from = 0, to = 6 } },
    first = { 'cole' },
    keys = '<Tab>',
    lines = { '🦀 = école|' },
  },
  {
    name = 'what is typed agrees',
    text = { 'let |' },
    items = { { text = 'count = 0;' } },
    first = { 'count = 0;' },
    keys = 'co',
    ghost = { 'unt = 0;' },
    lines = { 'let co|' },
    asked = { 2 },
  },
  {
    name = 'a word',
    text = { '|' },
    items = { { text = 'self.x = x' } },
    first = { 'self.x = x' },
    keys = '<M-Right>',
    ghost = { '.x = x' },
    lines = { 'self|' },
    asked = { 2 },
  },
  {
    name = 'two words',
    text = { '|' },
    items = { { text = 'self.x = x' } },
    first = { 'self.x = x' },
    keys = '<M-Right><M-Right><M-Right>',
    ghost = { ' = x' },
    lines = { 'self.x|' },
  },
  {
    name = 'a line, then the next',
    text = { '|' },
    items = { { text = 'a()\nb()\nc()' } },
    first = { 'a()', 'b()', 'c()' },
    keys = '<M-C-Right><M-C-Right>',
    ghost = { '', 'c()' },
    lines = { 'a()', 'b()|' },
  },
  {
    name = 'the last word is the whole',
    text = { 'f(|)' },
    items = { { text = 'a)', from = 2, to = 3 } },
    first = { 'a' },
    keys = '<M-Right>',
    lines = { 'f(a)|' },
  },
  {
    name = 'put away',
    text = { '|' },
    items = { { text = 'abc' } },
    first = { 'abc' },
    keys = '<C-]>',
    lines = { '|' },
  },
  {
    name = 'leaving insert mode puts it away',
    text = { 'x|' },
    items = { { text = 'abc' } },
    first = { 'abc' },
    keys = '<Esc>',
    lines = { '|x' },
  },
  {
    name = 'the next of several',
    text = { '|' },
    items = { { text = 'one' }, { text = 'two' } },
    first = { 'one (1/2)' },
    keys = '<M-]>',
    ghost = { 'two (2/2)' },
    lines = { '|' },
    asked = { 2, 1 },
  },
  {
    name = 'around to the first',
    text = { '|' },
    items = { { text = 'one' }, { text = 'two' } },
    first = { 'one (1/2)' },
    keys = '<M-]><Cmd>sleep 200m<CR><M-]>',
    ghost = { 'one (1/2)' },
    lines = { '|' },
  },
  {
    name = 'it is undone alone',
    text = { 'let |' },
    items = { { text = 'x = 1;' } },
    first = { 'x = 1;' },
    keys = '<Tab><Esc>u',
    lines = { 'let| ' },
  },
  {
    name = 'a carriage return is none of the text',
    text = { '|' },
    items = { { text = 'a\r\nb' } },
    first = { 'a', 'b' },
    keys = '<Tab>',
    lines = { 'a', 'b|' },
  },
  {
    name = 'a range elsewhere is not shown',
    text = { 'abc|' },
    items = { { text = 'x', from = 0, to = 1 } },
    lines = { 'abc|' },
  },
  {
    name = 'nothing to add is not shown',
    text = { 'f(|)' },
    items = { { text = ')', from = 2, to = 3 } },
    lines = { 'f(|)' },
  },
}

---@param editor Editor
local function place(editor, case)
  local text, row, column = {}, 1, 0
  for idx, line in ipairs(case.text) do
    local before, after = line:match('^(.-)|(.*)$')
    text[idx] = before and before .. after or line
    if before then
      row, column = idx, #before
    end
  end
  editor:request('nvim_buf_set_lines', 0, 0, -1, true, text)
  editor:request('nvim_win_set_cursor', 0, { row, column })
  return row, column, text[row]
end

---@param editor Editor
local function inside(editor, name, ...)
  return editor:request('nvim_exec_lua', ('return %s(...)'):format(name), { ... })
end

---@param editor Editor
local function run(editor, report, case)
  local row, column, line = place(editor, case)
  local encoding = case.encoding or 'utf-8'
  local at = vim.str_utfindex and encoding == 'utf-16' and #vim.iconv(line:sub(1, column), 'utf-8', 'utf-16le') / 2
    or column
  local items = vim.tbl_map(function(item)
    local position = function(character)
      return { line = row - 1, character = character or at }
    end
    return { insertText = item.text, range = { start = position(item.from), ['end'] = position(item.to) } }
  end, case.items)
  inside(editor, 'scripted.answer', items)
  editor:type(column == #line and 'A' or 'i')
  local first = case.first or {}
  editor:wait(SHOWN_MS, function()
    return vim.deep_equal(inside(editor, 'seen.ghost'), first) and 0 < #inside(editor, 'scripted.asked')
  end)
  report:same('shown', first, inside(editor, 'seen.ghost'))
  if not case.ghost then
    -- What comes after the keys would be answered with the same again.
    inside(editor, 'scripted.answer', {})
  end
  if case.keys then
    editor:type(case.keys)
  end
  local function is_done()
    return vim.deep_equal(inside(editor, 'seen.ghost'), case.ghost or {})
      and vim.deep_equal(inside(editor, 'seen.lines'), case.lines)
  end
  editor:wait(SHOWN_MS, is_done)
  report:same('ghost text in the end', case.ghost or {}, inside(editor, 'seen.ghost'))
  report:same('text in the end', case.lines, inside(editor, 'seen.lines'))
  if case.asked then
    report:same('requests', case.asked, inside(editor, 'scripted.asked'))
  end
  editor:type('<Esc>')
end

local report = Report.new()
for _, encoding in ipairs({ 'utf-8', 'utf-16' }) do
  local editor = Editor.start(vim.fn.getcwd(), here)
  for _, name in ipairs({ 'scripted', 'seen' }) do
    inside(editor, ('(function(file) _G.%s = dofile(file) end)'):format(name), vim.fs.joinpath(here, name .. '.lua'))
  end
  inside(editor, 'scripted.start', plugin, encoding)
  for _, case in ipairs(cases) do
    if (case.encoding or 'utf-8') == encoding then
      report.scope = case.name
      local is_through, problem = xpcall(run, debug.traceback, editor, report, case)
      report:check('ran to its end', is_through, problem)
    end
  end
  editor:kill()
end
report:finish()
