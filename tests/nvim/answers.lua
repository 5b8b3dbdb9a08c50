--- What a well-shaped answer is, and what the text becomes when one is taken.

local M = {}

---@param lines string[]
---@param position lsp.Position
---@param encoding string
---@return integer? byte From 0, of the whole text; nil for a position that the text does not have.
local function byte_offset(lines, position, encoding)
  local line = lines[position.line + 1]
  if not line then
    return nil
  end
  local is_there, column = pcall(vim.str_byteindex, line, encoding, position.character, true)
  if not is_there then
    return nil
  end
  local offset = column
  for row = 1, position.line do
    offset = offset + #lines[row] + 1
  end
  return offset
end

--- The text after an edit, computed on plain bytes.
---@param text string With one byte for each line break, whatever the file has.
---@param edit lsp.TextEdit
---@param encoding string
---@return string
function M.applied(text, edit, encoding)
  local lines = vim.split(text, '\n')
  local from = assert(byte_offset(lines, edit.range.start, encoding), 'the range starts outside the text')
  local to = assert(byte_offset(lines, edit.range['end'], encoding), 'the range ends outside the text')
  return text:sub(1, from) .. edit.newText:gsub('\r\n', '\n') .. text:sub(to + 1)
end

--- The edit of an item of `textDocument/inlineCompletion`.
function M.inline_edit(item)
  return { range = item.range, newText = item.insertText }
end

---@param edit any
---@param position lsp.Position
---@return string? problem
local function edit_problem(edit, position)
  if type(edit) ~= 'table' or type(edit.newText) ~= 'string' or edit.newText == '' then
    return 'no text to insert'
  end
  local range = edit.range
  if type(range) ~= 'table' then
    return 'no range'
  end
  if range.start.line ~= position.line or range['end'].line ~= position.line then
    return 'the range leaves the line of the cursor'
  end
  if position.character < range.start.character or range['end'].character < position.character then
    return 'the range does not hold the cursor'
  end
end

---@param n_most integer Items that there may be.
---@return string? problem
function M.inline_problem(list, position, n_most)
  if type(list) ~= 'table' or type(list.items) ~= 'table' then
    return 'no list of items'
  end
  if n_most < #list.items then
    return ('more than %d items'):format(n_most)
  end
  local seen = {}
  for _, item in ipairs(list.items) do
    local edit = M.inline_edit(item)
    local problem = edit_problem(edit, position)
    if problem then
      return problem
    end
    if seen[edit.newText] then
      return 'two items with the same text'
    end
    seen[edit.newText] = true
  end
end

---@return string? problem
function M.menu_problem(list, position)
  if type(list) ~= 'table' or type(list.items) ~= 'table' then
    return 'no list of items'
  end
  if list.isIncomplete ~= true then
    return 'the list says that it is complete'
  end
  if 1 < #list.items then
    return 'more than one item'
  end
  local item = list.items[1]
  if not item then
    return nil
  end
  if type(item.label) ~= 'string' or item.label == '' or item.label:find('\n') then
    return 'the label is not one line'
  end
  return edit_problem(item.textEdit, position)
end

return M
