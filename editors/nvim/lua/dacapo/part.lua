--- The first word or line of a suggestion.

local M = {}

--- Letters, digits, `_` and all that is not ASCII make a word; other signs go together up to the next word or space.
--- A line break that comes first belongs to what follows it.
---@param text string Not empty.
---@param part 'all'|'word'|'line'
---@return string
function M.first(text, part)
  if part == 'word' then
    return text:match('^%s*[%w_\128-\255]+') or text:match('^%s*[^%s%w_\128-\255]+') or text
  end
  if part == 'line' then
    return text:match('^\n?[^\n]*')
  end
  return text
end

return M
