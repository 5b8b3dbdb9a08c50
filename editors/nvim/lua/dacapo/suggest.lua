--- Suggestions as ghost text: by Neovim where it can, by this plugin otherwise.

local M = {}

local is_paused = false

---@class dacapo.Provider
---@field enable fun(client: vim.lsp.Client, bufnr: integer)
---@field disable fun(bufnr: integer)
---@field accept fun(part: string): boolean
---@field select fun(step: integer)
---@field dismiss fun(): boolean
---@field is_visible fun(): boolean
---@field ask_again fun()

--- Asked anew each time, so that an option that is changed counts from the next buffer on.
---@return dacapo.Provider
local function provider()
  local wants_builtin = require('dacapo.config').get().builtin
  return require(wants_builtin and vim.lsp.inline_completion and 'dacapo.builtin' or 'dacapo.ghost')
end

---@param client vim.lsp.Client
---@param bufnr integer
function M.enable(client, bufnr)
  if not is_paused then
    provider().enable(client, bufnr)
  end
end

---@param bufnr integer
function M.disable(bufnr)
  provider().disable(bufnr)
end

---@param part 'all'|'word'|'line'
---@return boolean taken
function M.accept(part)
  return provider().accept(part)
end

---@param step integer
function M.select(step)
  provider().select(step)
end

---@return boolean hidden
function M.dismiss()
  return provider().dismiss()
end

---@return boolean
function M.is_visible()
  return provider().is_visible()
end

--- The model is there now, and was not when it was asked.
function M.ask_again()
  if not is_paused then
    provider().ask_again()
  end
end

---@return boolean
function M.is_paused()
  return is_paused
end

--- Stops asking in all buffers, or begins again.
---@param value boolean
function M.pause(value)
  is_paused = value
  for _, client in ipairs(vim.lsp.get_clients({ name = 'dacapo' })) do
    for bufnr in pairs(client.attached_buffers) do
      if value then
        provider().disable(bufnr)
      else
        provider().enable(client, bufnr)
      end
    end
  end
  vim.cmd.redrawstatus()
end

return M
