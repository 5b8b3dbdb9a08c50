--- `:Dacapo WORD`: actions of the server, and what a person may want to know or to switch.

local client_of = require('dacapo.client')

local M = {}

---@type table<integer, integer> Ids of actions that work, and the client they work in.
local running = {}

--- Actions by the word that is typed for them, with the server's command.
local ACTIONS = {
  complete = 'dacapo.complete',
  rewrite = 'dacapo.rewrite',
  document = 'dacapo.document',
  fix = 'dacapo.fix',
  edit = 'dacapo.edit',
  tests = 'dacapo.tests',
  explain = 'dacapo.explain',
  ['next-edit'] = 'dacapo.nextEdit',
}

---@param text string
---@param level? integer
local function tell(text, level)
  vim.notify('dacapo: ' .. text, level or vim.log.levels.INFO)
end

---@return vim.lsp.Client?
local function client_or_tell()
  local client = client_of.get()
  if not client then
    tell('the server is not attached to this buffer; see :checkhealth dacapo', vim.log.levels.WARN)
  end
  return client
end

--- The selection where the command was typed on one, whole lines for another range, else the cursor.
---@param command vim.api.keyset.create_user_command.command_args
---@param client vim.lsp.Client
---@return lsp.Range
local function range_of(command, client)
  if command.range == 0 then
    local position = client_of.position_params(client).position
    return { start = position, ['end'] = position }
  end
  local first, last = vim.api.nvim_buf_get_mark(0, '<'), vim.api.nvim_buf_get_mark(0, '>')
  local is_selection = first[1] == command.line1 and last[1] == command.line2
  if not is_selection or vim.fn.visualmode() ~= 'v' then
    local last_line = vim.fn.getline(command.line2)
    first, last = { command.line1, 0 }, { command.line2, math.max(#last_line - 1, 0) }
  end
  return vim.lsp.util.make_given_range_params(first, last, 0, client.offset_encoding).range
end

--- The diagnostic at the cursor as the protocol has it.
---@return lsp.Diagnostic?
local function diagnostic_here()
  local row = vim.api.nvim_win_get_cursor(0)[1] - 1
  local diagnostic = vim.diagnostic.get(0, { lnum = row })[1]
  if not diagnostic then
    return nil
  end
  local from_server = vim.tbl_get(diagnostic, 'user_data', 'lsp')
  return {
    range = from_server and from_server.range or {
      start = { line = diagnostic.lnum, character = diagnostic.col },
      ['end'] = { line = diagnostic.end_lnum, character = diagnostic.end_col },
    },
    message = diagnostic.message,
    severity = diagnostic.severity,
    source = diagnostic.source,
    code = diagnostic.code,
  }
end

---@param name string The server's command.
---@param argument table
local function execute(name, argument)
  local client = client_or_tell()
  if not client then
    return
  end
  local id
  id = client_of.request(
    client,
    'workspace/executeCommand',
    { command = name, arguments = { argument } },
    function(failure)
      if id then
        running[id] = nil
      end
      if failure then
        tell(failure.message, vim.log.levels.ERROR)
      end
    end,
    vim.api.nvim_get_current_buf()
  )
  if id then
    running[id] = client.id
  end
end

---@param word string
---@param command vim.api.keyset.create_user_command.command_args
local function run_action(word, command)
  local client = client_or_tell()
  if not client then
    return
  end
  local argument = {
    uri = vim.uri_from_bufnr(0),
    range = range_of(command, client),
  }
  local instruction = vim.trim(command.args:sub(#word + 1))
  if instruction ~= '' then
    argument.instruction = instruction
  end
  if word == 'fix' then
    argument.diagnostic = diagnostic_here()
    if not argument.diagnostic then
      tell('there is no diagnostic in this line', vim.log.levels.WARN)
      return
    end
  end
  if word == 'edit' and instruction == '' then
    vim.ui.input({ prompt = 'Dacapo, what shall be changed? ' }, function(answer)
      if answer and vim.trim(answer) ~= '' then
        argument.instruction = answer
        execute(ACTIONS.edit, argument)
      end
    end)
    return
  end
  execute(ACTIONS[word], argument)
end

local COMMANDS = {
  cancel = function()
    for id, client_id in pairs(running) do
      local client = vim.lsp.get_client_by_id(client_id)
      if client then
        client_of.cancel(client, id)
      end
    end
    running = {}
  end,
  pause = function()
    require('dacapo.suggest').pause(true)
  end,
  resume = function()
    require('dacapo.suggest').pause(false)
  end,
  restart = client_of.restart,
  status = function()
    local status = require('dacapo.status').get()
    local text = require('dacapo.status').statusline()
    tell(status and status.message ~= '' and ('%s (%s)'):format(text, status.message) or text)
  end,
  why = function()
    local client = client_or_tell()
    if client then
      require('dacapo.why').open(client)
    end
  end,
}

---@param command vim.api.keyset.create_user_command.command_args
function M.run(command)
  local word = command.fargs[1] or 'status'
  if ACTIONS[word] then
    run_action(word, command)
  elseif COMMANDS[word] then
    COMMANDS[word]()
  else
    tell(
      ('there is no :Dacapo %s; there are %s'):format(word, table.concat(M.complete('', 'Dacapo '), ', ')),
      vim.log.levels.ERROR
    )
  end
end

---@param lead string
---@param line string
---@return string[]
function M.complete(lead, line)
  if line:match('Dacapo%s+%S+%s') then
    return {}
  end
  local words = vim.list_extend(vim.tbl_keys(ACTIONS), vim.tbl_keys(COMMANDS))
  table.sort(words)
  return vim.tbl_filter(function(word)
    return vim.startswith(word, lead)
  end, words)
end

return M
