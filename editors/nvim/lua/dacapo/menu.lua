--- Suggestions in the completion menu of Neovim 0.11 and later.

local M = {}

--- Neovim inserts a menu item up to its first space, and indents its further lines anew.
--- A suggestion is meant as it is: its first line is inserted by the menu, the others by `insert_rest`.
--- The function is asked about the items of all servers of the buffer.
---@param item lsp.CompletionItem
local function insert_first_line(item)
  if item.detail == 'dacapo' and item.textEdit then
    return { word = item.textEdit.newText:match('^[^\r\n]*') }
  end
  return {}
end

--- Inserts the lines of a suggestion after its first, once it is accepted, and puts the cursor behind them.
local function insert_rest()
  local item = vim.tbl_get(vim.v.completed_item, 'user_data', 'nvim', 'lsp', 'completion_item')
  if vim.v.event.reason ~= 'accept' or not item or item.detail ~= 'dacapo' then
    return
  end
  local lines = vim.split(item.textEdit.newText, '\r?\n')
  if #lines == 1 then
    return
  end
  lines[1] = ''
  local row, column = unpack(vim.api.nvim_win_get_cursor(0))
  vim.api.nvim_buf_set_text(0, row - 1, column, row - 1, column, lines)
  vim.api.nvim_win_set_cursor(0, { row + #lines - 1, #lines[#lines] })
end

---@param client vim.lsp.Client
---@param bufnr integer
function M.enable(client, bufnr)
  vim.lsp.completion.enable(true, client.id, bufnr, { convert = insert_first_line })
  vim.api.nvim_create_autocmd('CompleteDone', {
    group = vim.api.nvim_create_augroup('dacapo_menu_' .. bufnr, {}),
    buffer = bufnr,
    callback = insert_rest,
  })
end

return M
