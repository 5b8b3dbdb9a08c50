--- The language client, in the Neovims from 0.10 on.

local M = {}

local STOP_MS = 5000

local is_before_0_11 = vim.fn.has('nvim-0.11') == 0

--- `lsp/dacapo.lua` with the user's options over it.
---@return vim.lsp.Config
local function lsp_config()
  local file = vim.api.nvim_get_runtime_file('lsp/dacapo.lua', false)[1]
  return vim.tbl_deep_extend(
    'force',
    dofile(assert(file, 'lsp/dacapo.lua is not on the runtimepath')),
    require('dacapo.config').get().lsp
  )
end

---@param bufnr integer
local function start(bufnr)
  if vim.bo[bufnr].buftype ~= '' then
    return
  end
  local config = lsp_config()
  config.name = 'dacapo'
  config.root_dir = vim.fs.root(bufnr, config.root_markers or {})
  vim.lsp.start(config, { bufnr = bufnr })
end

--- Starts the server for the buffers of its file types, those that are open already included.
function M.enable()
  if not is_before_0_11 then
    vim.lsp.config('dacapo', require('dacapo.config').get().lsp)
    vim.lsp.enable('dacapo')
    return
  end
  local filetypes = lsp_config().filetypes
  vim.api.nvim_create_autocmd('FileType', {
    group = vim.api.nvim_create_augroup('dacapo_start', {}),
    pattern = filetypes,
    callback = function(event)
      start(event.buf)
    end,
  })
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(bufnr) and vim.list_contains(filetypes, vim.bo[bufnr].filetype) then
      start(bufnr)
    end
  end
end

--- The server of a buffer.
---@param bufnr? integer 0 for the current one.
---@return vim.lsp.Client?
function M.get(bufnr)
  return vim.lsp.get_clients({ name = 'dacapo', bufnr = bufnr or 0 })[1]
end

--- Stops all servers and starts them again for their buffers.
function M.restart()
  for _, client in ipairs(vim.lsp.get_clients({ name = 'dacapo' })) do
    local config, id, buffers = client.config, client.id, vim.tbl_keys(client.attached_buffers)
    vim.lsp.stop_client(id)
    vim.wait(STOP_MS, function()
      return vim.lsp.get_client_by_id(id) == nil
    end, 20)
    for _, bufnr in ipairs(buffers) do
      vim.lsp.start(config, { bufnr = bufnr })
    end
  end
end

---@param client vim.lsp.Client
---@param method string
---@param params table
---@param handler fun(failure: lsp.ResponseError?, result: any)
---@param bufnr integer
---@return integer? id For `cancel`; nil when the server is gone.
function M.request(client, method, params, handler, bufnr)
  local sent, id
  if is_before_0_11 then
    sent, id = client.request(method, params, handler, bufnr)
  else
    sent, id = client:request(method, params, handler, bufnr)
  end
  return sent and id or nil
end

---@param client vim.lsp.Client
---@param id integer
function M.cancel(client, id)
  if is_before_0_11 then
    client.cancel_request(id)
  else
    client:cancel_request(id)
  end
end

--- The parameters of a request at the caret: where insert mode was left, if the cursor has not gone away since.
---
--- In normal mode the cursor is on a character, at the end of a line on the last one, and no text can be meant there.
---@param client vim.lsp.Client
---@return lsp.TextDocumentPositionParams
function M.position_params(client)
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  local cursor, left = vim.api.nvim_win_get_cursor(0), vim.api.nvim_buf_get_mark(0, '^')
  if vim.api.nvim_get_mode().mode:sub(1, 1) == 'n' and cursor[1] == left[1] and left[2] - cursor[2] == 1 then
    local line = vim.api.nvim_get_current_line()
    params.position.character = M.character(line, left[2], client.offset_encoding)
  end
  return params
end

--- A byte column as one of the protocol.
---@param line string
---@param column integer
---@param encoding string
---@return integer
function M.character(line, column, encoding)
  local before = line:sub(1, column)
  if encoding == 'utf-8' then
    return #before
  end
  if not is_before_0_11 then
    return vim.str_utfindex(before, encoding)
  end
  local n_characters, n_units = vim.str_utfindex(before)
  return encoding == 'utf-16' and n_units or n_characters
end

--- A column of the protocol as a byte column, clamped to the line.
---@param line string
---@param character integer
---@param encoding string
---@return integer
function M.byte_column(line, character, encoding)
  if encoding == 'utf-8' then
    return math.min(character, #line)
  end
  local is_there, column
  if is_before_0_11 then
    is_there, column = pcall(vim.str_byteindex, line, character, encoding == 'utf-16')
  else
    is_there, column = pcall(vim.str_byteindex, line, encoding, character, false)
  end
  return is_there and column or #line
end

return M
