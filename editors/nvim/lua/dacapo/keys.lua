--- Keys in insert mode that do what they did before where there is no suggestion.

local M = {}

--- Each says whether there was something to do.
---@type table<string, fun(): boolean>
local ACTIONS = {
  accept = function()
    return require('dacapo').accept('all')
  end,
  accept_word = function()
    return require('dacapo').accept('word')
  end,
  accept_line = function()
    return require('dacapo').accept('line')
  end,
  dismiss = function()
    return require('dacapo').dismiss()
  end,
  next = function()
    require('dacapo').next()
    return true
  end,
  previous = function()
    require('dacapo').previous()
    return true
  end,
}

---@type table<integer, table<string, table>> What the keys were before, by buffer.
local mapped = {}

--- Before what has been typed since, as if the key had never been mapped.
local function feed(keys, mode)
  vim.api.nvim_feedkeys(vim.api.nvim_replace_termcodes(keys, true, false, true), mode .. 'i', false)
end

--- What the key did before: a mapping of another plugin, or nothing but itself.
---@param key string
---@param before table As `maparg` returns it; empty for no mapping.
local function fall_back(key, before)
  if vim.tbl_isempty(before) then
    feed(key, 'n')
    return
  end
  local keys = before.rhs
  if before.callback then
    keys = before.callback()
    if before.expr ~= 1 then
      return
    end
  elseif before.expr == 1 then
    keys = vim.api.nvim_eval(before.rhs)
  end
  if type(keys) == 'string' then
    feed(keys, before.noremap == 1 and 'n' or 'm')
  end
end

---@param keys dacapo.Keys
---@param bufnr integer
function M.map(keys, bufnr)
  if mapped[bufnr] then
    return
  end
  mapped[bufnr] = {}
  for name, action in pairs(ACTIONS) do
    local key = keys[name]
    if key then
      local before = vim.api.nvim_buf_call(bufnr, function()
        return vim.fn.maparg(key, 'i', false, true)
      end)
      vim.keymap.set('i', key, function()
        if not action() then
          fall_back(key, before)
        end
      end, { buffer = bufnr, desc = 'Dacapo: ' .. name:gsub('_', ' ') })
      mapped[bufnr][key] = before
    end
  end
end

---@param bufnr integer
function M.unmap(bufnr)
  if not vim.api.nvim_buf_is_valid(bufnr) then
    mapped[bufnr] = nil
    return
  end
  for key, before in pairs(mapped[bufnr] or {}) do
    pcall(vim.keymap.del, 'i', key, { buffer = bufnr })
    if before.buffer == 1 then
      vim.api.nvim_buf_call(bufnr, function()
        vim.fn.mapset('i', false, before)
      end)
    end
  end
  mapped[bufnr] = nil
end

return M
