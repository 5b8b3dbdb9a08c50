--- What a buffer gets when the server attaches to it, and loses when it leaves.

local M = {}

---@param client vim.lsp.Client
---@param bufnr integer
function M.attach(client, bufnr)
  local config = require('dacapo.config').get()
  if config.menu and vim.lsp.completion then
    require('dacapo.menu').enable(client, bufnr)
  end
  if config.ghost_text then
    require('dacapo.suggest').enable(client, bufnr)
    require('dacapo.keys').map(config.keys, bufnr)
  end
end

---@param client vim.lsp.Client
---@param bufnr integer
function M.detach(client, bufnr)
  if vim.tbl_count(client.attached_buffers) <= 1 then
    require('dacapo.status').forget(client.id)
  end
  -- After a restart the next server is attached before the last one is told to be gone.
  for _, other in ipairs(vim.lsp.get_clients({ name = 'dacapo', bufnr = bufnr })) do
    if other.id ~= client.id then
      return
    end
  end
  require('dacapo.suggest').disable(bufnr)
  require('dacapo.keys').unmap(bufnr)
end

return M
