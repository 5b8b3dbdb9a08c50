--- Ghost text of this plugin's own, for the Neovims that have no inline completion.
---
--- A suggestion is kept while what is typed agrees with it, so that it neither flickers nor is asked for at each key.

local client_of = require('dacapo.client')
local part_of = require('dacapo.part')

local M = {}

local AUTOMATIC, INVOKED = 2, 1
local namespace = vim.api.nvim_create_namespace('dacapo')

---@class dacapo.Suggestion
---@field row integer Where its text begins, from 0.
---@field column integer In bytes.
---@field text string From there on, what is typed already included.
---@field tail string Behind the cursor, replaced by the end of the text.
---@field after string The line behind the cursor when it was asked for; it must not have changed.
---@field command? lsp.Command Run once it is taken whole.

---@class dacapo.Ghost
---@field client vim.lsp.Client
---@field suggestions dacapo.Suggestion[]
---@field index integer
---@field is_invoked boolean Whether the suggestions are those of a person's own request, which has several.
---@field running? integer Id of the request.
---@field n_asked integer Counts requests, so that a late answer is known.
---@field seen? { tick: integer, row: integer, column: integer } When the suggestions were last looked at.
---@field is_visible boolean

---@type table<integer, dacapo.Ghost>
local ghosts = {}

local timer = assert(vim.uv.new_timer())

---@return integer row, integer column Both from 0.
local function cursor()
  local row, column = unpack(vim.api.nvim_win_get_cursor(0))
  return row - 1, column
end

---@return string
local function current_line()
  return vim.api.nvim_get_current_line()
end

---@return boolean
local function is_inserting()
  return vim.api.nvim_get_mode().mode:sub(1, 1) == 'i'
end

--- What of a suggestion is still to be typed; nil where the text has gone another way.
---@param suggestion dacapo.Suggestion
---@return string?
local function rest(suggestion)
  local row, column = cursor()
  if row < suggestion.row or (row == suggestion.row and column < suggestion.column) then
    return nil
  end
  local typed = vim.api.nvim_buf_get_text(0, suggestion.row, suggestion.column, row, column, {})
  local prefix = table.concat(typed, '\n')
  if not vim.startswith(suggestion.text, prefix) or current_line():sub(column + 1) ~= suggestion.after then
    return nil
  end
  local text = suggestion.text:sub(#prefix + 1)
  return text ~= '' and text ~= suggestion.tail and text or nil
end

--- The rest without the end that stands behind the cursor already.
---@param text string
---@param tail string
---@return string
local function without_tail(text, tail)
  return tail ~= '' and vim.endswith(text, tail) and text:sub(1, #text - #tail) or text
end

---@param line string
---@return string
local function with_spaces(line)
  return (line:gsub('\t', (' '):rep(vim.bo.tabstop)))
end

---@param ghost dacapo.Ghost
---@param text string
local function draw(ghost, text)
  local row, column = cursor()
  local lines = vim.split(text, '\n', { plain = true })
  local chunks = { { with_spaces(lines[1]), 'DacapoGhostText' } }
  local below = {}
  for idx = 2, #lines do
    below[#below + 1] = { { with_spaces(lines[idx]), 'DacapoGhostText' } }
  end
  if 1 < #ghost.suggestions then
    local place = (' (%d/%d)'):format(ghost.index, #ghost.suggestions)
    table.insert(below[#below] or chunks, { place, 'DacapoGhostText' })
  end
  vim.api.nvim_buf_clear_namespace(0, namespace, 0, -1)
  vim.api.nvim_buf_set_extmark(0, namespace, row, column, {
    virt_text = chunks,
    virt_text_pos = 'inline',
    virt_lines = below,
  })
  ghost.is_visible = true
end

---@param bufnr integer
local function hide(bufnr)
  if vim.api.nvim_buf_is_valid(bufnr) then
    vim.api.nvim_buf_clear_namespace(bufnr, namespace, 0, -1)
  end
  ghosts[bufnr].is_visible = false
end

---@param ghost dacapo.Ghost
local function stop_asking(ghost)
  timer:stop()
  ghost.n_asked = ghost.n_asked + 1
  if ghost.running then
    client_of.cancel(ghost.client, ghost.running)
    ghost.running = nil
  end
end

---@param bufnr integer
local function forget(bufnr)
  local ghost = ghosts[bufnr]
  stop_asking(ghost)
  ghost.suggestions = {}
  ghost.index = 1
  ghost.is_invoked = false
  hide(bufnr)
end

--- Draws the current suggestion as far as it is not typed yet.
---@param ghost dacapo.Ghost
---@return boolean shown
local function show(ghost)
  local suggestion = ghost.suggestions[ghost.index]
  local text = suggestion and rest(suggestion)
  if not suggestion or not text then
    return false
  end
  draw(ghost, without_tail(text, suggestion.tail))
  local row, column = cursor()
  ghost.seen = { tick = vim.api.nvim_buf_get_changedtick(0), row = row, column = column }
  return true
end

--- Reads an answer, whose positions are those of the text when it was asked for.
---@param result any
---@param line string The cursor's line then.
---@param row integer
---@param column integer
---@param encoding string
---@return dacapo.Suggestion[]
local function suggestions_of(result, line, row, column, encoding)
  local items = type(result) == 'table' and (result.items or result) or {}
  local suggestions = {}
  for _, item in ipairs(items) do
    local first, last = column, column
    if item.range then
      first = client_of.byte_column(line, item.range.start.character, encoding)
      last = client_of.byte_column(line, item.range['end'].character, encoding)
    end
    local text = type(item.insertText) == 'table' and item.insertText.value or item.insertText
    if first <= column and column <= last then
      suggestions[#suggestions + 1] = {
        row = row,
        column = first,
        text = text:gsub('\r\n', '\n'),
        tail = line:sub(column + 1, last),
        after = line:sub(column + 1),
        command = item.command,
      }
    end
  end
  return suggestions
end

---@param bufnr integer
---@param kind integer
local function ask(bufnr, kind)
  local ghost = ghosts[bufnr]
  if not ghost or bufnr ~= vim.api.nvim_get_current_buf() or not is_inserting() or vim.fn.pumvisible() == 1 then
    return
  end
  stop_asking(ghost)
  local number = ghost.n_asked
  local encoding = ghost.client.offset_encoding
  local params = vim.lsp.util.make_position_params(0, encoding)
  params.context = { triggerKind = kind }
  local line = current_line()
  local row, column = cursor()
  ghost.running = client_of.request(ghost.client, 'textDocument/inlineCompletion', params, function(failure, result)
    if ghosts[bufnr] ~= ghost or ghost.n_asked ~= number then
      return
    end
    ghost.running = nil
    if failure or bufnr ~= vim.api.nvim_get_current_buf() or not is_inserting() then
      return
    end
    local suggestions = suggestions_of(result, line, row, column, encoding)
    if kind == INVOKED and #suggestions == 0 then
      return
    end
    ghost.suggestions = suggestions
    ghost.is_invoked = kind == INVOKED
    -- A person who asks for the next one has seen the first.
    ghost.index = kind == INVOKED and ghost.is_visible and math.min(2, #suggestions) or 1
    if not show(ghost) then
      hide(bufnr)
    end
  end, bufnr)
end

---@param bufnr integer
local function ask_soon(bufnr)
  timer:start(
    require('dacapo.config').get().debounce_ms,
    0,
    vim.schedule_wrap(function()
      ask(bufnr, AUTOMATIC)
    end)
  )
end

--- The text or the cursor may have moved: goes along with the suggestion, or asks for another.
---@param bufnr integer
local function follow(bufnr)
  local ghost = ghosts[bufnr]
  if not ghost or bufnr ~= vim.api.nvim_get_current_buf() or not is_inserting() then
    return
  end
  local row, column = cursor()
  local tick = vim.api.nvim_buf_get_changedtick(bufnr)
  local seen = ghost.seen
  ghost.seen = { tick = tick, row = row, column = column }
  if seen and seen.tick == tick and seen.row == row and seen.column == column then
    return
  end
  local has_only_moved = seen ~= nil and seen.tick == tick
  if vim.fn.pumvisible() == 1 then
    forget(bufnr)
  elseif has_only_moved or not show(ghost) then
    forget(bufnr)
    ask_soon(bufnr)
  end
end

---@param client vim.lsp.Client
---@param bufnr integer
function M.enable(client, bufnr)
  ghosts[bufnr] = { client = client, suggestions = {}, index = 1, is_invoked = false, n_asked = 0, is_visible = false }
  local group = vim.api.nvim_create_augroup('dacapo_ghost_' .. bufnr, {})
  local function on(events, callback)
    vim.api.nvim_create_autocmd(events, { group = group, buffer = bufnr, callback = callback })
  end
  local function follow_soon()
    -- `InsertEnter` comes before the mode has changed.
    vim.schedule(function()
      follow(bufnr)
    end)
  end
  on({ 'InsertEnter', 'TextChangedI', 'CursorMovedI', 'CompleteDone' }, follow_soon)
  on({ 'TextChangedP', 'InsertLeave', 'BufLeave' }, function()
    forget(bufnr)
    ghosts[bufnr].seen = nil
  end)
  -- Somebody may be typing already.
  follow_soon()
end

---@param bufnr integer
function M.disable(bufnr)
  if ghosts[bufnr] then
    vim.api.nvim_create_augroup('dacapo_ghost_' .. bufnr, { clear = true })
    forget(bufnr)
    ghosts[bufnr] = nil
  end
end

---@return dacapo.Ghost? ghost, dacapo.Suggestion? suggestion, string? rest Only while one is shown.
local function shown()
  local ghost = ghosts[vim.api.nvim_get_current_buf()]
  local suggestion = ghost and ghost.is_visible and ghost.suggestions[ghost.index]
  local text = suggestion and rest(suggestion)
  if ghost and suggestion and text then
    return ghost, suggestion, text
  end
end

--- Replaces text from a place up to `n_after` bytes behind the cursor, and puts the cursor behind it.
--- It is undone by itself, not with what was typed before.
local function insert(row, column, n_after, text)
  vim.go.undolevels = vim.go.undolevels
  local end_row, end_column = cursor()
  local lines = vim.split(text, '\n', { plain = true })
  vim.api.nvim_buf_set_text(0, row, column, end_row, end_column + n_after, lines)
  local first = #lines == 1 and column or 0
  vim.api.nvim_win_set_cursor(0, { row + #lines, first + #lines[#lines] })
end

---@param part 'all'|'word'|'line'
---@return boolean taken
function M.accept(part)
  local ghost, suggestion, text = shown()
  if not ghost or not suggestion or not text then
    return false
  end
  local visible = without_tail(text, suggestion.tail)
  local first = part_of.first(visible, part)
  local bufnr = vim.api.nvim_get_current_buf()
  if first ~= visible then
    local row, column = cursor()
    insert(row, column, 0, first)
    follow(bufnr)
    return true
  end
  forget(bufnr)
  insert(suggestion.row, suggestion.column, #suggestion.tail, suggestion.text)
  if suggestion.command then
    local params = { command = suggestion.command.command, arguments = suggestion.command.arguments }
    client_of.request(ghost.client, 'workspace/executeCommand', params, function() end, bufnr)
  end
  return true
end

---@param step integer
function M.select(step)
  local bufnr = vim.api.nvim_get_current_buf()
  local ghost = ghosts[bufnr]
  if not ghost then
    return
  end
  if ghost.is_visible and ghost.is_invoked then
    ghost.index = (ghost.index - 1 + step) % #ghost.suggestions + 1
    show(ghost)
  else
    ask(bufnr, INVOKED)
  end
end

---@return boolean hidden
function M.dismiss()
  local ghost = shown()
  if not ghost then
    return false
  end
  forget(vim.api.nvim_get_current_buf())
  return true
end

---@return boolean
function M.is_visible()
  return shown() ~= nil
end

function M.ask_again()
  ask(vim.api.nvim_get_current_buf(), AUTOMATIC)
end

return M
