-- Configuration for `vim.lsp.enable('dacapo')`; `require('dacapo').setup()` reads it in Neovim 0.10.

---@type vim.lsp.Config
return {
  cmd = { 'dacapo', 'lsp' },
  -- Any text can be completed; these are the languages that people write programs in.
  filetypes = {
    'bash',
    'c',
    'clojure',
    'cpp',
    'cs',
    'css',
    'cuda',
    'dart',
    'elixir',
    'erlang',
    'fsharp',
    'go',
    'haskell',
    'html',
    'java',
    'javascript',
    'javascriptreact',
    'julia',
    'kotlin',
    'lua',
    'nix',
    'objc',
    'ocaml',
    'perl',
    'php',
    'proto',
    'python',
    'r',
    'ruby',
    'rust',
    'scala',
    'scss',
    'sh',
    'sql',
    'svelte',
    'swift',
    'terraform',
    'typescript',
    'typescriptreact',
    'vim',
    'vue',
    'zig',
  },
  root_markers = { '.git' },
  init_options = { status = true },
  handlers = {
    ['dacapo/status'] = function(_, params, context)
      require('dacapo.status').set(context.client_id, params)
    end,
    ['window/showDocument'] = function(_, params)
      return require('dacapo.page').show_document(params)
    end,
    ['window/showMessage'] = function(_, params)
      require('dacapo.page').show_message(params)
    end,
  },
}
