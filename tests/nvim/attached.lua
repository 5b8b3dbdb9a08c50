--- An editor with the plugin, a real server attached to the one file of a new project, and a report of what is found there.
---
--- DACAPO is the binary; NEOVIM is the editor where it is not the one that runs this.

local here = vim.fs.dirname(vim.uv.fs_realpath(debug.getinfo(1, 'S').source:sub(2)))
local Editor = dofile(vim.fs.joinpath(here, 'editor.lua'))
local Report = dofile(vim.fs.joinpath(here, 'report.lua'))
local daemon = dofile(vim.fs.joinpath(here, 'daemon.lua'))

local LONG_MS = 120000

---@class Attached
---@field editor Editor
---@field report Report
---@field file string Path of the file.
local Attached = {}
Attached.__index = Attached

---@param name string Of the file.
---@param text string[] Its lines.
---@param prepare string Lua for the editor before the server starts, with the rest of the arguments as `...`; it may return
--- the words behind `dacapo lsp`.
---@return Attached
function Attached.start(name, text, prepare, ...)
  local dacapo = assert(vim.env.DACAPO, 'DACAPO names no binary')
  local folder = vim.fn.tempname()
  local file = vim.fs.joinpath(folder, name)
  vim.fn.mkdir(vim.fs.joinpath(folder, '.git'), 'p')
  vim.fn.writefile(text, file)
  daemon.isolate()
  local self = setmetatable({ report = Report.new(), editor = Editor.start(folder, here), file = file }, Attached)
  self:lua(
    [[local plugin, library, dacapo, prepare = ...
    vim.opt.runtimepath:prepend(plugin)
    vim.cmd.runtime('plugin/dacapo.lua')
    _G.seen = dofile(library)
    local words = assert(loadstring(prepare))(select(5, ...))
    require('dacapo').setup({ lsp = { cmd = vim.list_extend({ dacapo, 'lsp' }, words or {}) } })]],
    vim.fs.normalize(vim.fs.joinpath(here, '../../editors/nvim')),
    vim.fs.joinpath(here, 'seen.lua'),
    dacapo,
    prepare,
    ...
  )
  self.editor:request('nvim_command', 'filetype on')
  self.editor:request('nvim_cmd', { cmd = 'edit', args = { file } }, {})
  local is_attached = self.editor:wait(LONG_MS, function()
    return self:lua(
      "local client = vim.lsp.get_clients({ name = 'dacapo', bufnr = 0 })[1] return client ~= nil and client.initialized == true"
    )
  end)
  self.report.scope = 'set-up'
  self.report:check('the server is attached', is_attached)
  return self
end

--- Runs Lua in the editor.
---@param code string
function Attached:lua(code, ...)
  return self.editor:request('nvim_exec_lua', code, { ... })
end

--- Runs the checks, then ends the editor, the daemon and this process.
---@param checks fun()
function Attached:finish(checks)
  local is_through, problem = xpcall(checks, debug.traceback)
  self.report.scope = 'all'
  self.report:check('ran to its end', is_through, problem)
  self.editor:kill()
  daemon.stop()
  self.report:finish()
end

return Attached
