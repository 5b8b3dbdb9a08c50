--- `:checkhealth dacapo`.

local M = {}

--- What the plugin was made for; a server of another minor version may lack what it asks for.
local SERIES = '0.1'

---@return string[]? command
local function server_command()
  local client = require('dacapo.client').get()
  local config = client and client.config
  if not config and vim.lsp.config then
    config = vim.lsp.config.dacapo
  end
  if not config then
    local file = vim.api.nvim_get_runtime_file('lsp/dacapo.lua', false)[1]
    config = file and vim.tbl_deep_extend('force', dofile(file), require('dacapo.config').get().lsp)
  end
  local cmd = config and config.cmd
  return type(cmd) == 'table' and cmd or nil
end

local function check_server()
  vim.health.start('Server')
  local command = server_command()
  if not command then
    vim.health.info('its command is a function, so its version is not looked at')
    return
  end
  local program = vim.fn.exepath(command[1])
  if program == '' then
    vim.health.error(('there is no program %s'):format(command[1]), {
      'put dacapo on the PATH that Neovim sees',
      "or name it: vim.lsp.config('dacapo', { cmd = { '/path/to/dacapo', 'lsp' } })",
    })
    return
  end
  local result = vim.system({ program, '--version' }, { text = true, timeout = 15000 }):wait()
  local version = (result.stdout or ''):match('^dacapo (%S+)')
  if not version then
    vim.health.error(('%s does not say that it is dacapo: %s'):format(program, vim.trim(result.stderr or '')))
  elseif version:match('^%d+%.%d+') ~= SERIES then
    vim.health.warn(
      ('%s is version %s, this plugin is made for %s'):format(program, version, SERIES),
      { 'install both from the same release' }
    )
  else
    vim.health.ok(('%s, version %s; `dacapo doctor` in a terminal tells more'):format(program, version))
  end
end

local function check_clients()
  vim.health.start('Buffers')
  local clients = vim.lsp.get_clients({ name = 'dacapo' })
  if #clients == 0 then
    vim.health.info(
      "no server runs; it starts with the first buffer of one of its file types, after `vim.lsp.enable('dacapo')` or `setup`"
    )
  end
  for _, client in ipairs(clients) do
    local text = 'server %d: %d buffers, positions in %s, root %s'
    local n_buffers = vim.tbl_count(client.attached_buffers)
    vim.health.ok(text:format(client.id, n_buffers, client.offset_encoding, client.root_dir or 'none'))
  end
end

local function check_ghost_text()
  vim.health.start('Ghost text')
  local config = require('dacapo.config').get()
  if not config.ghost_text then
    vim.health.info('switched off by the option ghost_text')
  elseif config.builtin and vim.lsp.inline_completion then
    vim.health.ok("by Neovim's own vim.lsp.inline_completion")
  else
    vim.health.ok('by this plugin')
  end
  for name, key in pairs(config.keys) do
    local mapping = key and vim.fn.maparg(key, 'i', false, true) or {}
    if mapping.rhs or (mapping.callback and not vim.startswith(mapping.desc or '', 'Dacapo')) then
      vim.health.info(('%s (%s) has another mapping, which works where there is no suggestion'):format(key, name))
    end
  end
end

function M.check()
  vim.health.start('Neovim')
  if vim.fn.has('nvim-0.10') == 1 then
    vim.health.ok('version ' .. tostring(vim.version()))
  else
    vim.health.error('Neovim 0.10 or later is needed')
    return
  end
  check_server()
  check_clients()
  check_ghost_text()
end

return M
