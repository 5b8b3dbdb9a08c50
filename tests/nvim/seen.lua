--- Runs in the editor that is tested: the ghost text as it is drawn.

local M = {}

local function text_of(chunks)
  return table.concat(vim.tbl_map(function(chunk)
    return chunk[1]
  end, chunks))
end

--- The lines of the ghost text, or nothing where there is none.
---@return string[]
function M.ghost()
  local namespace = vim.api.nvim_get_namespaces().dacapo
  local mark = namespace and vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, { details = true })[1]
  if not mark then
    return {}
  end
  local lines = { text_of(mark[4].virt_text) }
  for _, chunks in ipairs(mark[4].virt_lines or {}) do
    lines[#lines + 1] = text_of(chunks)
  end
  return lines
end

--- The lines of the buffer, with `|` where the cursor is.
---@return string[]
function M.lines()
  local lines = vim.api.nvim_buf_get_lines(0, 0, -1, true)
  local row, column = unpack(vim.api.nvim_win_get_cursor(0))
  lines[row] = lines[row]:sub(1, column) .. '|' .. lines[row]:sub(column + 1)
  return lines
end

---@type string[]
local messages = {}
local n_begun, n_ended = 0, 0

--- From now on keeps what is said to the person, and counts the work that begins and ends.
function M.keep_messages()
  local notify = vim.notify
  vim.notify = function(text, ...)
    messages[#messages + 1] = text
    return notify(text, ...)
  end
  vim.api.nvim_create_autocmd('LspProgress', {
    callback = function(event)
      local kind = event.data.params.value.kind
      n_begun = n_begun + (kind == 'begin' and 1 or 0)
      n_ended = n_ended + (kind == 'end' and 1 or 0)
    end,
  })
end

---@return string[]
function M.messages()
  return messages
end

---@return integer
function M.n_ended()
  return n_ended
end

---@return boolean
function M.is_working()
  return n_ended < n_begun
end

---@return string
function M.statusline()
  return require('dacapo').statusline()
end

--- Says what `:checkhealth dacapo` writes.
---@return string
function M.health()
  vim.cmd('checkhealth dacapo')
  local text = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, true), '\n')
  vim.cmd.close()
  return text
end

return M
