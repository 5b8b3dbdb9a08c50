--- Counts what passed and what failed, and says it line by line.

---@class Report
---@field scope string Said before each line.
local Report = {}
Report.__index = Report

---@return Report
function Report.new()
  return setmetatable({ scope = '', n_passed = 0, n_failed = 0 }, Report)
end

---@param name string
---@param is_good any
---@param detail? any Said when it is not.
function Report:check(name, is_good, detail)
  if is_good then
    self.n_passed = self.n_passed + 1
  else
    self.n_failed = self.n_failed + 1
  end
  local line = ('%s %s: %s'):format(is_good and 'ok  ' or 'FAIL', self.scope, name)
  if not is_good and detail ~= nil then
    line = line .. ': ' .. (type(detail) == 'string' and detail or vim.inspect(detail, { newline = ' ', indent = '' }))
  end
  io.stdout:write(line, '\n')
  io.stdout:flush()
end

function Report:same(name, expected, found)
  self:check(name, vim.deep_equal(expected, found), { expected = expected, found = found })
end

--- Ends the process.
function Report:finish()
  io.stdout:write(('%d passed, %d failed\n'):format(self.n_passed, self.n_failed))
  io.stdout:flush()
  os.exit(self.n_failed == 0 and 0 or 1)
end

return Report
