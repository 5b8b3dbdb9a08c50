--- What the server says of itself in `dacapo/status`, and how a statusline shows it.

local M = {}

---@class dacapo.Status Parameters of `dacapo/status`, as docs/lsp-extensions.md explains them.
---@field busy boolean
---@field message string
---@field kind string
---@field reason? string

---@type table<integer, dacapo.Status> By the client's id.
local statuses = {}

--- Keeps the news, redraws statuslines, and tells listeners by the `User` event `DacapoStatus`.
---@param client_id integer
---@param params dacapo.Status
function M.set(client_id, params)
  local before = statuses[client_id]
  if params.reason == vim.NIL then
    params.reason = nil
  end
  statuses[client_id] = params
  local was_loading = before ~= nil and before.busy and before.reason == 'loading'
  local is_loading = params.busy and params.reason == 'loading'
  if was_loading and not is_loading and params.kind ~= 'Error' then
    require('dacapo.suggest').ask_again()
  end
  vim.api.nvim_exec_autocmds('User', { pattern = 'DacapoStatus', modeline = false, data = params })
  vim.cmd.redrawstatus()
end

---@param client_id integer
function M.forget(client_id)
  statuses[client_id] = nil
end

--- Of the server of this buffer.
---@return dacapo.Status?
function M.get()
  local client = require('dacapo.client').get()
  return client and statuses[client.id]
end

---@return string
function M.statusline()
  if not require('dacapo.client').get() then
    return ''
  end
  if require('dacapo.suggest').is_paused() then
    return 'dacapo: paused'
  end
  local status = M.get()
  if not status then
    return 'dacapo'
  end
  if status.kind == 'Error' then
    return 'dacapo: failed'
  end
  if status.busy then
    return status.reason == 'loading' and 'dacapo: loading' or 'dacapo: …'
  end
  return status.reason and ('dacapo: %s'):format(status.reason) or 'dacapo'
end

return M
