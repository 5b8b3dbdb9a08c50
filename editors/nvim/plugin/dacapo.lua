-- The command, the highlight group, and what happens when the server attaches to a buffer.

if vim.g.loaded_dacapo then
  return
end
vim.g.loaded_dacapo = true

vim.api.nvim_set_hl(0, 'DacapoGhostText', { default = true, link = 'NonText' })

vim.api.nvim_create_user_command('Dacapo', function(command)
  require('dacapo.commands').run(command)
end, {
  nargs = '*',
  range = true,
  desc = 'Dacapo: actions, why, pause, resume, restart, status',
  complete = function(lead, line)
    return require('dacapo.commands').complete(lead, line)
  end,
})

local group = vim.api.nvim_create_augroup('dacapo', {})

vim.api.nvim_create_autocmd('LspAttach', {
  group = group,
  callback = function(event)
    local client = vim.lsp.get_client_by_id(event.data.client_id)
    if client and client.name == 'dacapo' then
      require('dacapo.attach').attach(client, event.buf)
    end
  end,
})

vim.api.nvim_create_autocmd('LspDetach', {
  group = group,
  callback = function(event)
    local client = vim.lsp.get_client_by_id(event.data.client_id)
    if client and client.name == 'dacapo' then
      require('dacapo.attach').detach(client, event.buf)
    end
  end,
})
