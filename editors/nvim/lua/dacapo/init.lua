--- The face of the plugin: everything here loads the rest when it is called.

local M = {}

--- Sets options and starts the server for the file types of `lsp/dacapo.lua`.
---@param options? dacapo.Config Over the defaults; see `dacapo.config`.
function M.setup(options)
  require('dacapo.config').set(options)
  require('dacapo.client').enable()
end

--- Takes the suggestion that is shown.
---@param part? 'all'|'word'|'line' All by default.
---@return boolean taken False when there is none.
function M.accept(part)
  return require('dacapo.suggest').accept(part or 'all')
end

--- Shows the next suggestion; asks for one when none is shown.
function M.next()
  require('dacapo.suggest').select(1)
end

--- Shows the previous suggestion; asks for one when none is shown.
function M.previous()
  require('dacapo.suggest').select(-1)
end

--- Hides the suggestion.
---@return boolean hidden False when there was none.
function M.dismiss()
  return require('dacapo.suggest').dismiss()
end

--- Whether a suggestion is shown in this buffer.
---@return boolean
function M.is_visible()
  return require('dacapo.suggest').is_visible()
end

--- For a statusline: `dacapo` and what it does, or nothing where it is not attached.
---@return string
function M.statusline()
  return require('dacapo.status').statusline()
end

return M
