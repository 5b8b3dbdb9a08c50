--- A daemon that belongs to one test: `dacapo lsp` starts it below a runtime folder of its own.

local M = {}

--- Before the first editor is started, which inherits the folder.
function M.isolate()
  local folder = vim.fn.tempname()
  vim.fn.mkdir(folder, 'p', '0o700')
  vim.env.XDG_RUNTIME_DIR = folder
end

function M.stop()
  vim.system({ vim.env.DACAPO, 'daemon', 'stop' }):wait()
end

return M
