--- A real Neovim edits with dacapo attached: `nvim --headless --clean -l tests/nvim/spec.lua rust|python`.
---
--- DACAPO is the binary. It reads DACAPO_MODEL itself, if that is set, and serves the embedded model otherwise.
--- This process only watches. The editor is a second one that it types into, so that keys, timers and the
--- language client run as they do in front of a person.

local here = vim.fs.dirname(vim.fs.abspath(debug.getinfo(1, 'S').source:sub(2)))
local plugin = vim.fs.normalize(vim.fs.joinpath(here, '../../editors/nvim'))

local Editor = dofile(vim.fs.joinpath(here, 'editor.lua'))
local answers = dofile(vim.fs.joinpath(here, 'answers.lua'))
local samples = dofile(vim.fs.joinpath(here, 'samples.lua'))
local daemon = dofile(vim.fs.joinpath(here, 'daemon.lua'))

local ATTACH_MS = 30000
local END_MS = 20000
local MENU_MS = 30000
local INVOKED, AUTOMATIC = 1, 2

local n_passed, n_failed = 0, 0
local scope = ''

---@param name string
---@param is_good any
---@param detail? any Said when it is not.
local function check(name, is_good, detail)
  if is_good then
    n_passed = n_passed + 1
  else
    n_failed = n_failed + 1
  end
  local line = ('%s %s: %s'):format(is_good and 'ok  ' or 'FAIL', scope, name)
  if not is_good and detail ~= nil then
    line = line .. ': ' .. (type(detail) == 'string' and detail or vim.inspect(detail, { newline = ' ', indent = '' }))
  end
  io.stdout:write(line, '\n')
  io.stdout:flush()
end

---@param editor Editor
local function check_sync(editor, when)
  local sync = editor:call('sync')
  local server = sync.server or {}
  local is_same = server.version == sync.editor.version and server.sha256 == sync.editor.sha256
  check('in sync ' .. when, is_same, sync)
end

--- Opens the sample and waits for the server.
---@param editor Editor
local function attach(editor, file)
  editor:request('nvim_cmd', { cmd = 'edit', args = { file }, bang = true }, {})
  local attached
  editor:wait(ATTACH_MS, function()
    attached = editor:call('attached')
    return attached ~= nil or editor:call('ended') ~= nil
  end)
  return attached
end

---@param editor Editor
local function check_edits(editor, sample)
  for idx, edit in ipairs(sample.edits) do
    editor:call('edit', edit)
    check_sync(editor, ('after edit %d'):format(idx))
  end
  for idx, keys in ipairs(sample.bursts) do
    check(('burst %d is typed'):format(idx), editor:type(keys))
    check_sync(editor, ('after burst %d'):format(idx))
  end
end

--- Asks in both ways; the answers are well shaped, and the automatic ones mean the same text.
---@param editor Editor
---@return { inline: table?, menu: table? } first Items; the inline one is of the automatic request where that has one.
local function check_suggestions(editor, encoding, place)
  local text = editor:call('text')
  local first = {}
  for _, kind in ipairs({ AUTOMATIC, INVOKED }) do
    local name = ('%s, %s'):format(place, kind == AUTOMATIC and 'automatic' or 'invoked')
    local got = editor:call('suggest', kind)
    check(name .. ' is answered', not got.failure, got.failure)
    local n_most = kind == AUTOMATIC and 1 or 3
    local inline_problem = answers.inline_problem(got.inline, got.position, n_most)
    local menu_problem = answers.menu_problem(got.menu, got.position)
    check(name .. ' has a good inline answer', not inline_problem, { inline_problem, got.inline })
    check(name .. ' has a good menu answer', not menu_problem, { menu_problem, got.menu })
    if not got.failure and not inline_problem and not menu_problem then
      local inline, menu = got.inline.items[1], got.menu.items[1]
      if kind == AUTOMATIC then
        local by_inline = inline and answers.applied(text, answers.inline_edit(inline), encoding)
        local by_menu = menu and answers.applied(text, menu.textEdit, encoding)
        check(name .. ' agrees in both', by_inline == by_menu, { inline or 'nothing', menu or 'nothing' })
        first.menu = menu
      end
      first.inline = first.inline or inline
    end
  end
  return first
end

--- Takes the inline suggestion as an edit, and the menu's with the keys that a person has for it.
---@param editor Editor
local function check_taking(editor, encoding, place, first)
  local text = editor:call('text')
  local change = editor:request('nvim_call_function', 'changenr', {})
  if first.menu then
    editor:type('<C-x><C-o>')
    local shown = {}
    editor:wait(MENU_MS, function()
      shown = editor:call('shown')
      return #shown ~= 0
    end)
    check(place .. ' shows a menu of one item', #shown == 1, shown)
    local expected = shown[1] and answers.applied(text, shown[1].textEdit, encoding)
    editor:type('<C-n><C-y>')
    check(place .. ' is taken from the menu', editor:call('text') == expected, { expected, editor:call('text') })
    check_sync(editor, ('after the menu of %s'):format(place))
    editor:type(('<Esc>:silent undo %d<CR>'):format(change))
    check_sync(editor, ('after the menu of %s is undone'):format(place))
  end
  if first.inline then
    text = editor:call('text')
    local edit = answers.inline_edit(first.inline)
    local expected = answers.applied(text, edit, encoding)
    editor:call('apply', edit)
    check(place .. ' is applied', editor:call('text') == expected, { expected, editor:call('text') })
    check_sync(editor, ('after the edit of %s'):format(place))
  end
end

---@param editor Editor
local function check_carets(editor, sample, encoding)
  -- A request by hand waits for the weights; automatic ones get nothing until they are read.
  local loaded = editor:call('suggest', INVOKED)
  check('the model is there', not loaded.failure, loaded.failure)
  local n_inline, n_menu = 0, 0
  for idx, caret in ipairs(sample.carets) do
    local place = ('caret %d'):format(idx)
    local change = editor:request('nvim_call_function', 'changenr', {})
    check(place .. ' is typed', editor:type(caret.keys))
    check_sync(editor, 'at ' .. place)
    local first = check_suggestions(editor, encoding, place)
    n_inline = n_inline + (first.inline and 1 or 0)
    n_menu = n_menu + (first.menu and 1 or 0)
    check_taking(editor, encoding, place, first)
    editor:type(('<Esc>:silent undo %d<CR>'):format(change))
    check_sync(editor, ('after %s is undone'):format(place))
  end
  check('there is a suggestion inline', 0 < n_inline)
  check('there is a suggestion in the menu', 0 < n_menu)
end

--- The server ends when it is told to, and when its editor is gone without a word.
---@param editor Editor
local function check_end(editor, file)
  local pids = editor:call('server_pids')
  check('one server runs', #pids == 1, pids)
  editor:call('stop')
  editor:wait(END_MS, function()
    return editor:call('ended') ~= nil and not Editor.is_running(pids[1])
  end)
  check('the server ends well when it is stopped', vim.deep_equal(editor:call('ended'), { 0, 0 }), editor:call('ended'))
  check('its process is gone', not Editor.is_running(pids[1]))

  check('the server comes back', attach(editor, file) ~= nil)
  pids = editor:call('server_pids')
  editor:kill()
  editor:wait(END_MS, function()
    return pids[1] ~= nil and not Editor.is_running(pids[1])
  end)
  check('the server ends after its editor was killed', pids[1] ~= nil and not Editor.is_running(pids[1]))
end

---@class Setting
---@field encoding string Of positions.
---@field fileformat string

---@type Setting[]
local settings = {
  { encoding = 'utf-8', fileformat = 'unix' },
  { encoding = 'utf-16', fileformat = 'dos' },
}

---@param sample Sample
---@param setting Setting
local function run(sample, setting)
  local encoding = setting.encoding
  local folder = vim.fn.tempname()
  local file = vim.fs.joinpath(folder, sample.name)
  vim.fn.mkdir(vim.fs.joinpath(folder, '.git'), 'p')
  local line_end = setting.fileformat == 'dos' and '\r' or ''
  vim.fn.writefile(
    vim.tbl_map(function(line)
      return line .. line_end
    end, sample.text),
    file
  )

  local editor = Editor.start(folder, here)
  local cmd = { assert(vim.env.DACAPO, 'DACAPO names no binary'), 'lsp' }
  editor:call('enable', plugin, cmd, encoding)
  local attached = attach(editor, file)
  local expected = {
    encoding = encoding,
    name = 'dacapo',
    line_breaks = setting.fileformat,
    inline = true,
    menu = true,
  }
  check('the server is attached', vim.deep_equal(attached, expected), attached or 'it did not start')
  if attached then
    check_sync(editor, 'when opened')
    check_edits(editor, sample)
    check_carets(editor, sample, encoding)
    check_end(editor, file)
  else
    editor:kill()
  end
end

local language = _G.arg[1]
local sample = assert(samples[language], 'name a language: rust or python')
daemon.isolate()
for _, setting in ipairs(settings) do
  scope = ('%s %s %s'):format(language, setting.encoding, setting.fileformat)
  local is_through, problem = xpcall(run, debug.traceback, sample, setting)
  check('ran to its end', is_through, problem)
end
daemon.stop()
io.stdout:write(('%d passed, %d failed\n'):format(n_passed, n_failed))
io.stdout:flush()
os.exit(n_failed == 0 and 0 or 1)
