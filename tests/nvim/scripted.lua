--- A language server inside the editor that answers what it is told to, for what a model would never say on demand.

local M = {}

---@type { items: table[], delay_ms: integer }
local script = { items = {}, delay_ms = 0 }
local asked = {}
local cancelled = {}

local function result_of(method)
  if method == 'initialize' then
    return {
      capabilities = { inlineCompletionProvider = true, textDocumentSync = 1, positionEncoding = script.encoding },
    }
  end
  if method == 'textDocument/inlineCompletion' then
    return { items = script.items }
  end
end

---@return vim.lsp.rpc.PublicClient
local function serve()
  local is_closing, n_requests = false, 0
  return {
    request = function(method, params, callback, sent)
      n_requests = n_requests + 1
      local id = n_requests
      if method == 'textDocument/inlineCompletion' then
        asked[#asked + 1] = params.context.triggerKind
      end
      local result = result_of(method)
      vim.defer_fn(function()
        callback(nil, result)
        if sent then
          sent(id)
        end
      end, method == 'initialize' and 0 or script.delay_ms)
      return true, id
    end,
    notify = function(method, params)
      if method == '$/cancelRequest' then
        cancelled[#cancelled + 1] = params.id
      end
      return true
    end,
    is_closing = function()
      return is_closing
    end,
    terminate = function()
      is_closing = true
    end,
  }
end

---@param plugin string
---@param encoding string
function M.start(plugin, encoding)
  vim.opt.runtimepath:prepend(plugin)
  vim.cmd.runtime('plugin/dacapo.lua')
  script.encoding = encoding
  vim.g.dacapo = { debounce_ms = 1 }
  vim.lsp.start({ name = 'dacapo', cmd = serve })
end

--- What is answered from now on.
---@param items table[] Of `textDocument/inlineCompletion`.
---@param delay_ms? integer
function M.answer(items, delay_ms)
  script.items = items
  script.delay_ms = delay_ms or 0
  asked = {}
  cancelled = {}
end

--- Kinds of the requests since the last `answer`.
function M.asked()
  return asked
end

function M.n_cancelled()
  return #cancelled
end

return M
