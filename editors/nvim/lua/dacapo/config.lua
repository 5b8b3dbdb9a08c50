--- Options of the plugin. Those of the server are settings of `vim.lsp.config('dacapo', { settings = ... })`.

local M = {}

---@class dacapo.Keys Keys in insert mode; false for none.
---@field accept? string|false
---@field accept_word? string|false
---@field accept_line? string|false
---@field next? string|false
---@field previous? string|false
---@field dismiss? string|false

---@class dacapo.Config
---@field ghost_text? boolean Shows suggestions behind the cursor.
---@field builtin? boolean Leaves ghost text to `vim.lsp.inline_completion` where Neovim has it.
---@field menu? boolean Makes the completion menu insert suggestions as they are (Neovim 0.11 and later).
---@field debounce_ms? integer How long the cursor rests before a suggestion is asked for.
---@field keys? dacapo.Keys
---@field lsp? vim.lsp.Config Over `lsp/dacapo.lua`, for `setup`.

---@type dacapo.Config
M.defaults = {
  ghost_text = true,
  builtin = true,
  menu = true,
  debounce_ms = 60,
  keys = {
    accept = '<Tab>',
    accept_word = '<M-Right>',
    accept_line = '<M-C-Right>',
    next = '<M-]>',
    previous = '<M-[>',
    dismiss = '<C-]>',
  },
  lsp = {},
}

---@type dacapo.Config?
local given

---@param options? dacapo.Config
function M.set(options)
  given = options
end

--- What `setup` was given, else `vim.g.dacapo`, over the defaults.
---@return dacapo.Config
function M.get()
  return vim.tbl_deep_extend('force', M.defaults, given or vim.g.dacapo or {})
end

return M
