--- The plugin with a real server: `nvim --headless --clean -l tests/nvim/plugin_spec.lua`.
---
--- DACAPO is the binary; NEOVIM is the editor where it is not the one that runs this.

local here = vim.fs.dirname(vim.uv.fs_realpath(debug.getinfo(1, 'S').source:sub(2)))
local Attached = dofile(vim.fs.joinpath(here, 'attached.lua'))

local LONG_MS = 60000
local TEXT = { 'class Rectangle:', '    def __init__(self, width, height):', '        self.width = width' }

local attached = Attached.start(
  'rectangle.py',
  TEXT,
  'vim.o.shiftwidth, vim.o.expandtab, vim.o.autoindent = 4, true, true'
)
local editor, report, file = attached.editor, attached.report, attached.file

local function lua(code, ...)
  return attached:lua(code, ...)
end

---@return string[]
local function ghost()
  return lua('return seen.ghost()')
end

local function on_disk()
  editor:type('<Esc>:write<CR>')
  return vim.fn.readfile(file)
end

---@return string[] ghost Its lines, once there is any.
local function wait_for_ghost()
  editor:wait(LONG_MS, function()
    return #ghost() ~= 0
  end)
  return ghost()
end

local function run()
  report.scope = 'ghost text'
  editor:type('Go')
  local shown = wait_for_ghost()
  report:check('comes while typing', #shown ~= 0 and shown[1] ~= '', lua('return seen.statusline()'))
  editor:type('<Tab>')
  local expected = vim.list_extend(vim.deepcopy(TEXT), shown)
  expected[4] = '        ' .. expected[4]
  report:same('Tab takes it, and it is on disk', expected, on_disk())
  editor:type('u')
  report:same(
    'is undone by itself',
    vim.list_extend(vim.deepcopy(TEXT), { '        ' }),
    lua('return vim.api.nvim_buf_get_lines(0, 0, -1, true)')
  )
  editor:type('A')
  local again = wait_for_ghost()
  report:same('comes again', shown, again)
  editor:type(shown[1]:sub(1, 2))
  local typed = vim.deepcopy(shown)
  typed[1] = typed[1]:sub(3)
  report:same('stays while it is typed', typed, ghost())
  editor:type('<C-]>')
  report:same('is put away', {}, ghost())
  editor:type('<Esc>u')

  report.scope = 'keys'
  editor:type('A<Space>zzz<Tab><Esc>')
  local line = lua('return vim.api.nvim_get_current_line()')
  report:check('Tab without a suggestion is a tab', line:match('zzz +$'), line)
  editor:type('u')

  report.scope = 'pause'
  editor:type('<Esc>:Dacapo pause<CR>A')
  report:same('is said', 'dacapo: paused', lua('return seen.statusline()'))
  report:same('shows nothing', {}, ghost())
  editor:type('<Esc>:Dacapo resume<CR>A')
  report:check('resumes', #wait_for_ghost() ~= 0)
  editor:type('<Esc>')

  report.scope = 'status'
  report:check('is said', vim.startswith(lua('return seen.statusline()'), 'dacapo'), lua('return seen.statusline()'))

  report.scope = 'why'
  editor:type('A<Esc>:Dacapo why<CR>')
  local page = ''
  editor:wait(LONG_MS, function()
    page = table.concat(lua('return vim.api.nvim_buf_get_lines(0, 0, -1, true)'), '\n')
    return page:find('# The prompt', 1, true) ~= nil
  end)
  report:check(
    'shows the suggestion and the prompt',
    page:find('# Suggestion', 1, true) and page:find('class Rectangle:', 1, true),
    page
  )
  editor:type(':close<CR>')

  report.scope = 'health'
  local health = lua('return seen.health()')
  report:check('names the server', health:find('version 0.1', 1, true), health)
  report:check('has no error', not health:find('ERROR', 1, true), health)

  report.scope = 'command'
  local words = lua("return vim.fn.getcompletion('Dacapo ', 'cmdline')")
  report:check('completes', vim.list_contains(words, 'rewrite') and vim.list_contains(words, 'why'), words)

  report.scope = 'action'
  local getters = vim.fs.joinpath(vim.fs.dirname(file), 'getters.py')
  local before = vim.list_extend(vim.deepcopy(TEXT), {
    '        self.height = height',
    '',
    '    def get_width(self):',
    '        return self.width',
    '',
    '    def get_height(self):',
  })
  vim.fn.writefile(before, getters)
  editor:type((':edit %s<CR>G$'):format(getters))
  local function lines()
    return lua('return vim.api.nvim_buf_get_lines(0, 0, -1, true)')
  end
  local function is_longer()
    return #before < #lines()
  end
  editor:type(':Dacapo complete<CR>')
  report:check(':Dacapo complete writes a body', editor:wait(LONG_MS, is_longer), lines())
  editor:type('u')
  report:same('is undone as one step', before, lines())
  editor:type('G$')
  lua([[vim.lsp.buf.code_action({ apply = true, filter = function(action)
    return action.title == 'Complete this body'
  end })]])
  report:check('the code action writes a body', editor:wait(LONG_MS, is_longer), lines())
  editor:type(':write<CR>')
  report:same('is on disk', lines(), vim.fn.readfile(getters))
  editor:type((':edit %s<CR>G'):format(file))

  report.scope = 'restart'
  local pids = lua('return vim.api.nvim_get_proc_children(vim.fn.getpid())')
  editor:type(':Dacapo restart<CR>')
  local is_back = editor:wait(LONG_MS, function()
    local now = lua('return vim.api.nvim_get_proc_children(vim.fn.getpid())')
    return #now == 1 and now[1] ~= pids[1]
  end)
  report:check('starts another server', is_back)
  editor:type('A')
  report:check('ghost text comes again', #wait_for_ghost() ~= 0, lua('return seen.lines()'))

  -- Neovim 0.12 cannot be had for this test: what is shown is only that its functions are called.
  report.scope = 'inline completion of Neovim 0.12, played'
  editor:type('<Esc>')
  lua([[
    _G.calls = {}
    local function note(name)
      return function(...)
        calls[#calls + 1] = name
        return true
      end
    end
    vim.lsp.inline_completion = { enable = note('enable'), get = note('get'), select = note('select') }
    require('dacapo.ghost').disable(0 + vim.api.nvim_get_current_buf())
    local client = vim.lsp.get_clients({ name = 'dacapo', bufnr = 0 })[1]
    require('dacapo.suggest').enable(client, vim.api.nvim_get_current_buf())]])
  editor:type('A<Tab><M-]><Esc>')
  report:same('is used where it is there', { 'enable', 'get', 'select' }, lua('return calls'))
end

attached:finish(run)
