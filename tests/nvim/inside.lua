--- Runs in the editor that is tested: what a person would see there, as plain tables.

local M = {}

local REQUEST_MS = 30000

---@type integer[]? Code and signal with which the last server ended.
local ended

---@return vim.lsp.Client?
local function client()
  return vim.lsp.get_clients({ name = 'dacapo', bufnr = 0 })[1]
end

--- The buffer with one byte for each line break.
---@return string
function M.text()
  return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, true), '\n') .. '\n'
end

--- The buffer as Neovim sends it, with the line breaks of the file.
local function sent_text()
  local line_break = vim.bo.fileformat == 'dos' and '\r\n' or '\n'
  return (M.text():gsub('\n', line_break))
end

---@param plugin string Folder that holds `lsp/dacapo.lua`.
---@param cmd string[]
---@param encoding string
function M.enable(plugin, cmd, encoding)
  vim.opt.runtimepath:prepend(plugin)
  -- The requests of ghost text would supersede those of the test.
  vim.g.dacapo = { ghost_text = false }
  vim.cmd.runtime('plugin/dacapo.lua')
  vim.o.completeopt = 'menu,menuone,noselect'
  local capabilities = vim.lsp.protocol.make_client_capabilities()
  capabilities.general.positionEncodings = { encoding }
  vim.lsp.config('dacapo', {
    cmd = cmd,
    capabilities = capabilities,
    before_init = function()
      ended = nil
    end,
    on_exit = function(code, signal)
      ended = { code, signal }
    end,
  })
  vim.lsp.enable('dacapo')
end

--- What the server said of itself, once it is there.
function M.attached()
  local it = client()
  if not it or not it.initialized then
    return nil
  end
  return {
    encoding = it.offset_encoding,
    name = it.server_info and it.server_info.name,
    line_breaks = vim.bo.fileformat,
    inline = it:supports_method('textDocument/inlineCompletion') and true or false,
    menu = it:supports_method('textDocument/completion') and true or false,
  }
end

--- The process of the server: the one child of this editor.
function M.server_pids()
  return vim.api.nvim_get_proc_children(vim.fn.getpid())
end

local function ask(method, params)
  local it = assert(client(), 'no client')
  local answer, failure = it:request_sync(method, params, REQUEST_MS, vim.api.nvim_get_current_buf())
  if not answer then
    return nil, failure or 'no answer'
  end
  if answer.err then
    return nil, vim.inspect(answer.err)
  end
  return answer.result
end

--- The server's and the editor's idea of the document.
function M.sync()
  local uri = vim.uri_from_bufnr(0)
  local state, failure = ask('dacapo/documentState', { textDocument = { uri = uri } })
  return {
    server = state ~= vim.NIL and state or nil,
    failure = failure,
    editor = {
      version = vim.lsp.util.buf_versions[vim.api.nvim_get_current_buf()],
      sha256 = vim.fn.sha256(sent_text()),
    },
  }
end

---@param edit Edit
function M.edit(edit)
  vim.api.nvim_buf_set_text(0, edit.from[1], edit.from[2], edit.to[1], edit.to[2], edit.lines)
end

--- What is suggested at the cursor, asked for in the two ways that there are.
---@param kind integer 1 invoked, 2 automatic
function M.suggest(kind)
  local it = assert(client(), 'no client')
  local params = vim.lsp.util.make_position_params(0, it.offset_encoding)
  local function ask_here(method, trigger_kind)
    return ask(method, vim.tbl_extend('force', params, { context = { triggerKind = trigger_kind } }))
  end
  local menu, menu_failure = ask_here('textDocument/completion', 1)
  local inline, inline_failure = ask_here('textDocument/inlineCompletion', kind)
  return { position = params.position, menu = menu, inline = inline, failure = menu_failure or inline_failure }
end

--- The server's items that the menu shows.
---@return lsp.CompletionItem[]
function M.shown()
  local info = vim.fn.complete_info({ 'pum_visible', 'items' })
  if info.pum_visible ~= 1 then
    return {}
  end
  return vim.tbl_map(function(item)
    return item.user_data.nvim.lsp.completion_item
  end, info.items)
end

--- Applies an edit as Neovim applies those of servers.
---@param edit lsp.TextEdit
function M.apply(edit)
  local it = assert(client(), 'no client')
  vim.lsp.util.apply_text_edits({ edit }, vim.api.nvim_get_current_buf(), it.offset_encoding)
end

function M.stop()
  assert(client(), 'no client'):stop()
end

function M.ended()
  return ended
end

return M
