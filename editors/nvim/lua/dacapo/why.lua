--- `:Dacapo why`: the answer of `dacapo/explain` at the cursor, in a scratch window.

local client_of = require('dacapo.client')
local page = require('dacapo.page')

local M = {}

local INVOKED = 1

---@param value any
---@return any value Nil for the `null` of the protocol.
local function present(value)
  return value ~= vim.NIL and value or nil
end

--- A fence that is longer than any run of backticks inside.
---@param lines string[]
---@param text string
local function add_fenced(lines, text)
  local longest = 2
  for run in text:gmatch('`+') do
    longest = math.max(longest, #run)
  end
  local fence = ('`'):rep(longest + 1)
  vim.list_extend(lines, { fence })
  vim.list_extend(lines, vim.split(text:gsub('\n$', ''), '\n', { plain = true }))
  vim.list_extend(lines, { fence, '' })
end

--- The page, in Markdown.
---@param explanation table As docs/lsp-extensions.md says.
---@return string[]
function M.lines(explanation)
  local lines = {}
  local suggestion, reason = present(explanation.suggestion), present(explanation.reason)
  if suggestion then
    vim.list_extend(lines, { '# Suggestion', '' })
    add_fenced(lines, suggestion.text)
  end
  if reason then
    vim.list_extend(lines, { '# No suggestion', '', ('%s (`%s`)'):format(reason.message, reason.code), '' })
  end
  vim.list_extend(lines, { '# The model', '', ('Ended by: `%s`.'):format(explanation.stoppedBy), '' })
  if explanation.raw ~= '' then
    add_fenced(lines, explanation.raw)
  end
  local timings, tokens = present(explanation.timings), present(explanation.promptTokens)
  if timings then
    local text = 'Waited %.1f ms, read the prompt in %.1f ms, wrote in %.1f ms.'
    vim.list_extend(lines, { text:format(timings.queuedMs, timings.prefillMs, timings.decodeMs), '' })
  end
  if tokens then
    local text = 'Tokens of the prompt: %d read, %d kept from before.'
    vim.list_extend(lines, { text:format(tokens.new, tokens.reused), '' })
  end
  vim.list_extend(lines, { '# The prompt', '' })
  for _, piece in ipairs(explanation.pieces) do
    vim.list_extend(lines, { ('## %s, %d tokens, from %s'):format(piece.kind, piece.tokens, piece.source), '' })
    add_fenced(lines, piece.text)
  end
  return lines
end

---@param client vim.lsp.Client
function M.open(client)
  local params = client_of.position_params(client)
  params.triggerKind = INVOKED
  client_of.request(client, 'dacapo/explain', params, function(failure, explanation)
    if failure then
      vim.notify('dacapo: ' .. failure.message, vim.log.levels.ERROR)
      return
    end
    page.open(M.lines(explanation))
  end, vim.api.nvim_get_current_buf())
end

return M
