--- Pages to read: Markdown in a scratch window beside the code.

local M = {}

---@param lines string[]
function M.open(lines)
  local bufnr = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_lines(bufnr, 0, -1, true, lines)
  vim.bo[bufnr].bufhidden = 'wipe'
  vim.bo[bufnr].modifiable = false
  vim.bo[bufnr].filetype = 'markdown'
  vim.api.nvim_open_win(bufnr, true, { split = 'right' })
end

--- Words that the server has put into a file, without a buffer of that file, which goes when the server does.
---@param params lsp.ShowDocumentParams
---@return lsp.ShowDocumentResult
function M.show_document(params)
  local is_read, lines = pcall(vim.fn.readfile, vim.uri_to_fname(params.uri))
  if is_read then
    M.open(lines)
  end
  return { success = is_read }
end

--- What the server tells a person: one line as a message, more on a page, since a message of many lines asks for a key.
---@param params lsp.ShowMessageParams
function M.show_message(params)
  local lines = vim.split(vim.trim(params.message), '\n', { plain = true })
  if 1 < #lines then
    M.open(lines)
    return
  end
  local levels = { vim.log.levels.ERROR, vim.log.levels.WARN }
  vim.notify('dacapo: ' .. params.message, levels[params.type] or vim.log.levels.INFO)
end

return M
