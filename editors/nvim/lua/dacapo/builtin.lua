--- Ghost text by `vim.lsp.inline_completion`, which Neovim 0.12 brings.

local M = {}

---@param client vim.lsp.Client
---@param bufnr integer
function M.enable(client, bufnr)
  vim.lsp.inline_completion.enable(true, { bufnr = bufnr, client_id = client.id })
end

---@param bufnr integer
function M.disable(bufnr)
  if vim.api.nvim_buf_is_loaded(bufnr) then
    vim.lsp.inline_completion.enable(false, { bufnr = bufnr })
  end
end

--- Neovim's own accepts the whole; a part is made by shortening the item on its way in.
---@param part 'all'|'word'|'line'
---@return boolean taken
function M.accept(part)
  if part == 'all' then
    return vim.lsp.inline_completion.get() and true or false
  end
  return vim.lsp.inline_completion.get({
    on_accept = function(item)
      local range = item.range
      if type(item.insert_text) ~= 'string' or not range then
        return item
      end
      local row, column = unpack(vim.api.nvim_win_get_cursor(0))
      local typed = vim.api.nvim_buf_get_text(0, range.start.row, range.start.col, row - 1, column, {})
      local prefix = table.concat(typed, '\n')
      if vim.startswith(item.insert_text, prefix) then
        item.insert_text = prefix .. require('dacapo.part').first(item.insert_text:sub(#prefix + 1), part)
      end
      return item
    end,
  }) and true or false
end

---@param step integer
function M.select(step)
  vim.lsp.inline_completion.select({ count = step })
end

--- Neovim has no way to hide a suggestion alone; it hides all when they are switched off.
---@return boolean hidden
function M.dismiss()
  local bufnr = vim.api.nvim_get_current_buf()
  vim.lsp.inline_completion.enable(false, { bufnr = bufnr })
  vim.lsp.inline_completion.enable(true, { bufnr = bufnr })
  return true
end

--- Neovim does not tell.
---@return boolean
function M.is_visible()
  return false
end

--- Neovim asks when the text changes.
function M.ask_again() end

return M
