--- Actions by instruction, with a model that follows some: `nvim --headless --clean -l tests/nvim/instruct_spec.lua`.
---
--- DACAPO is the binary, MODEL a model with a chat template; NEOVIM is the editor where it is not the one that runs this.
--- The model is small, so what it writes is not judged, and one of a few instructions that it follows is enough: that an
--- edit is asked for, shown, applied, undone and cancelled is what counts.

local here = vim.fs.dirname(vim.uv.fs_realpath(debug.getinfo(1, 'S').source:sub(2)))
local Attached = dofile(vim.fs.joinpath(here, 'attached.lua'))

local INSTRUCTIONS = { 'add a docstring', 'add type hints', 'return None for an empty list', 'use the function sum' }
local LONG_MS = 120000
local TEXT = {
  'def total(prices):',
  '    result = 0',
  '    for price in prices:',
  '        result += price',
  '    return result',
}

local model = assert(vim.env.MODEL, 'MODEL names no model')
local attached = Attached.start('prices.py', TEXT, "seen.keep_messages() return { '--model', ... }", model)
local editor, report, file = attached.editor, attached.report, attached.file

local function lua(code, ...)
  return attached:lua(code, ...)
end

---@return string[]
local function lines()
  return lua('return vim.api.nvim_buf_get_lines(0, 0, -1, true)')
end

---@return string[]
local function messages()
  return lua('return seen.messages()')
end

--- Waits until the text differs or something is said, which is how every action ends.
---@param before string[]
---@return string[] after
local function act(before)
  local n_said = #messages()
  editor:wait(LONG_MS, function()
    return not vim.deep_equal(before, lines()) or n_said < #messages()
  end)
  return lines()
end

---@return string
local function last_message()
  local all = messages()
  return all[#all] or ''
end

local function run()
  report.scope = 'edit'
  local edited = TEXT
  for _, instruction in ipairs(INSTRUCTIONS) do
    if vim.deep_equal(TEXT, edited) then
      editor:type((':Dacapo edit %s<CR>'):format(instruction))
      edited = act(TEXT)
    end
  end
  report:check('changes the function', not vim.deep_equal(TEXT, edited), last_message())
  report:check('keeps its name', edited[1]:find('def total', 1, true), edited)
  editor:type('u')
  report:same('is undone as one step', TEXT, lines())

  report.scope = 'edit by a comment'
  local asked, by_comment
  for _, instruction in ipairs(INSTRUCTIONS) do
    if vim.deep_equal(asked, by_comment) then
      asked = vim.list_extend({ '# dacapo: ' .. instruction }, TEXT)
      editor:type((by_comment and 'ggcc' or 'ggO') .. asked[1] .. '<Esc>')
      report:same('is typed', asked, lines())
      lua([[vim.lsp.buf.code_action({ apply = true, filter = function(action)
        return action.command and action.command.command == 'dacapo.edit' or action.command == 'dacapo.edit'
      end })]])
      by_comment = act(asked)
    end
  end
  report:check(
    'changes the function and takes the comment away',
    not vim.deep_equal(asked, by_comment) and not by_comment[1]:find('dacapo:', 1, true),
    { by_comment, messages() }
  )
  editor:type('u')
  report:same('is undone as one step', asked, lines())
  editor:type('ggdd')

  report.scope = 'fix'
  lua([[vim.diagnostic.set(vim.api.nvim_create_namespace('a linter'), 0, { {
    lnum = 1, col = 4, end_lnum = 1, end_col = 10, severity = vim.diagnostic.severity.ERROR,
    message = "the variable 'result' hides a name of another scope",
  } })]])
  editor:type('2G:Dacapo fix<CR>')
  local mended = act(TEXT)
  report:check('changes the function or says why not', not vim.deep_equal(TEXT, mended) or last_message() ~= '')
  if not vim.deep_equal(TEXT, mended) then
    editor:type('u')
  end
  report:same('leaves the text as it was after undo', TEXT, lines())
  editor:type('3G:Dacapo fix<CR>')
  report:check('says that a line has no diagnostic', last_message():find('no diagnostic', 1, true), messages())

  report.scope = 'explain'
  editor:type('gg')
  local n_said = #messages()
  editor:type(':Dacapo explain<CR>')
  local is_explained = editor:wait(LONG_MS, function()
    return n_said < #messages() or lua('return #vim.api.nvim_list_wins()') ~= 1
  end)
  report:check('shows words', is_explained)
  report:same('changes nothing', TEXT, lua('return vim.fn.getbufline(...)', file, 1, '$'))
  editor:type('<Esc>:silent! only<CR>')

  report.scope = 'cancel'
  editor:type((':edit %s<CR>gg'):format(file))
  local ended = lua('return seen.n_ended()')
  editor:type(':Dacapo explain<CR>')
  local is_begun = editor:wait(LONG_MS, function()
    return lua('return seen.is_working()')
  end)
  report:check('there is progress while it works', is_begun)
  n_said = #messages()
  editor:type(':Dacapo cancel<CR>')
  local is_ended = editor:wait(LONG_MS, function()
    return ended < lua('return seen.n_ended()')
  end)
  report:check('ends it', is_ended and not lua('return seen.is_working()'))
  report:same('shows no words', 1, lua('return #vim.api.nvim_list_wins()'))
  report:same('changes nothing', TEXT, lines())
  report:check('is no error', not last_message():find('ancel', 1, true), messages())
end

attached:finish(run)
