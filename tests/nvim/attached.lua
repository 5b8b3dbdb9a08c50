--- An editor with the plugin, and a real server attached to the one file of a new project.

local Editor = dofile(vim.fs.joinpath(vim.fs.dirname(debug.getinfo(1, 'S').source:sub(2)), 'editor.lua'))

local LONG_MS = 120000

--- DACAPO is the binary.
---@param here string The folder of the specs.
---@param name string Of the file.
---@param text string[] Its lines.
---@param prepare string Lua for the editor before the server starts, with `...` the rest of the arguments of this function; it
--- says the words behind `dacapo lsp`.
---@return Editor editor
---@return string file
---@return boolean is_attached
return function(here, name, text, prepare, ...)
  local folder = vim.fn.tempname()
  local file = vim.fs.joinpath(folder, name)
  vim.fn.mkdir(vim.fs.joinpath(folder, '.git'), 'p')
  vim.fn.writefile(text, file)
  local editor = Editor.start(folder, here)
  editor:lua(
    [[local plugin, library, dacapo, prepare = ...
    vim.opt.runtimepath:prepend(plugin)
    vim.cmd.runtime('plugin/dacapo.lua')
    _G.seen = dofile(library)
    local words = assert(loadstring(prepare))(select(5, ...))
    require('dacapo').setup({ lsp = { cmd = vim.list_extend({ dacapo, 'lsp' }, words or {}) } })]],
    vim.fs.normalize(vim.fs.joinpath(here, '../../editors/nvim')),
    vim.fs.joinpath(here, 'seen.lua'),
    assert(vim.env.DACAPO, 'DACAPO names no binary'),
    prepare,
    ...
  )
  editor:request('nvim_command', 'filetype on')
  editor:request('nvim_cmd', { cmd = 'edit', args = { file } }, {})
  local is_attached = editor:wait(LONG_MS, function()
    return editor:lua(
      "local client = vim.lsp.get_clients({ name = 'dacapo', bufnr = 0 })[1] return client ~= nil and client.initialized == true"
    )
  end)
  return editor, file, is_attached
end
