--- A Neovim of its own process: keys go in as from a keyboard, tables come out of `inside.lua`.

local uv = vim.uv

local TYPED_MS = 20000
local POLL_MS = 10

---@class Editor
---@field channel integer
---@field pid integer
---@field n_typed integer
local Editor = {}
Editor.__index = Editor

---@param folder string Where it runs.
---@param library string Folder of `inside.lua`.
---@return Editor
function Editor.start(folder, library)
  -- A launcher is not what Neovim takes its own path to be.
  local program = vim.env.NEOVIM or vim.v.progpath
  local command = { program, '--embed', '--headless', '--clean' }
  local channel = vim.fn.jobstart(command, { rpc = true, cwd = folder })
  assert(0 < channel, 'Neovim does not start')
  local self = setmetatable({ channel = channel, pid = vim.fn.jobpid(channel), n_typed = 0 }, Editor)
  self:request('nvim_exec_lua', '_G.inside = dofile(...)', { vim.fs.joinpath(library, 'inside.lua') })
  return self
end

function Editor:request(method, ...)
  return vim.rpcrequest(self.channel, method, ...)
end

--- Calls a function of `inside.lua`.
function Editor:call(name, ...)
  local result = self:request('nvim_exec_lua', 'return inside[select(1, ...)](select(2, ...))', { name, ... })
  return result ~= vim.NIL and result or nil
end

--- Types keys and waits until the editor has taken the last of them.
---@param keys string
---@return boolean taken
function Editor:type(keys)
  self.n_typed = self.n_typed + 1
  self:request('nvim_input', ('%s<Cmd>let g:n_typed = %d<CR>'):format(keys, self.n_typed))
  return self:wait(TYPED_MS, function()
    return self:request('nvim_eval', 'get(g:, "n_typed")') == self.n_typed
  end)
end

---@param limit_ms integer
---@param is_done fun(): boolean
---@return boolean
function Editor:wait(limit_ms, is_done)
  return (vim.wait(limit_ms, is_done, POLL_MS))
end

--- Ends the editor at once, as a crash would.
function Editor:kill()
  uv.kill(self.pid, 'sigkill')
  vim.fn.jobwait({ self.channel }, TYPED_MS)
end

---@param pid integer
---@return boolean
function Editor.is_running(pid)
  return uv.kill(pid, 0) == 0
end

return Editor
