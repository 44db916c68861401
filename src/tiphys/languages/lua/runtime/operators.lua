-- Operators whose results differ between the engines: how a number prints, how a string counts as
-- a number, what # is.

local rt = ...
local type, rawget, select, error, tostring = type, rawget, select, error, tostring
local getmetatable = debug.getmetatable
local fmod, concat = math.fmod, table.concat
local number_text, parse = rt.number_text, rt.parse_number

local function handler(value, event)
  local meta = getmetatable(value)
  if type(meta) == "table" then
    return rawget(meta, event)
  end
end

local function number(value)
  if type(value) == "string" then
    return parse(value)
  end
  return type(value) == "number" and value or nil
end

local function modulo(a, b)
  local result = fmod(a, b)
  if b > 0 and result < 0 or b < 0 and result > 0 then
    result = result + b
  end
  return result
end
rt.plain_modulo = modulo

local function arithmetic(name, plain)
  local event = "__" .. name
  return function(a, b)
    local method = handler(a, event)
    if method == nil then
      method = handler(b, event)
    end
    if type(method) == "function" then
      return (method(a, b))
    end
    local x, y = number(a), number(b)
    if x and y then
      return plain(x, y)
    end
    error("cannot perform " .. name .. " operation between " .. type(a) .. " and " .. type(b), 3)
  end
end

local add = arithmetic("add", function(a, b) return a + b end)
local subtract = arithmetic("sub", function(a, b) return a - b end)
local multiply = arithmetic("mul", function(a, b) return a * b end)
local divide = arithmetic("div", function(a, b) return a / b end)
local slow_modulo = arithmetic("mod", modulo)
local power = arithmetic("pow", function(a, b) return a ^ b end)

function rt.add(a, b)
  if type(a) == "number" and type(b) == "number" then
    return a + b
  end
  return (add(a, b))
end

function rt.subtract(a, b)
  if type(a) == "number" and type(b) == "number" then
    return a - b
  end
  return (subtract(a, b))
end

function rt.multiply(a, b)
  if type(a) == "number" and type(b) == "number" then
    return a * b
  end
  return (multiply(a, b))
end

function rt.divide(a, b)
  if type(a) == "number" and type(b) == "number" then
    return a / b
  end
  return (divide(a, b))
end

function rt.modulo(a, b)
  if type(a) == "number" and type(b) == "number" then
    return modulo(a, b)
  end
  return (slow_modulo(a, b))
end

function rt.power(a, b)
  if type(a) == "number" and type(b) == "number" then
    return a ^ b
  end
  return (power(a, b))
end

function rt.negate(value)
  if type(value) == "number" then
    return -value
  end
  local method = handler(value, "__unm")
  if type(method) == "function" then
    return (method(value))
  end
  local x = type(value) == "string" and parse(value)
  if not x then
    error("__unm undefined", 2)
  end
  return -x
end

function rt.length(value)
  local kind = type(value)
  if kind == "string" then
    return #value
  end
  local method = handler(value, "__len")
  if type(method) == "function" then
    return (method(value))
  end
  if kind ~= "table" then
    error("__len undefined", 2)
  end
  return rt.table_length(value)
end

local function is_text(value)
  local kind = type(value)
  return kind == "string" or kind == "number"
end

local function text(value)
  return type(value) == "number" and number_text(value) or value
end

function rt.join(...)
  local count = select("#", ...)
  local values = { ... }
  local right, index = values[count], count - 1
  while index >= 1 do
    local left = values[index]
    if is_text(left) and is_text(right) then
      local first = index
      while first > 1 and is_text(values[first - 1]) do
        first = first - 1
      end
      for place = first, index do
        values[place] = text(values[place])
      end
      values[index + 1] = text(right)
      right, index = concat(values, "", first, index + 1), first - 1
    else
      local method = handler(left, "__concat")
      if method == nil then
        method = handler(right, "__concat")
      end
      if type(method) ~= "function" then
        error("cannot perform concat operation between " .. type(left) .. " and " .. type(right), 2)
      end
      right, index = method(left, right), index - 1
    end
  end
  return right
end

function rt.not_indexable(value)
  return handler(value, "__index") == nil
end

-- The text that the original's messages show for any value.
function rt.text(value)
  return type(value) == "number" and number_text(value) or tostring(value)
end

-- Used by scripts that catch errors, to see the original's words in them.
function rt.index(value, key)
  if type(value) ~= "table" and handler(value, "__index") == nil then
    error("attempt to index a non-table object(" .. type(value) .. ") with key '" .. rt.text(key) .. "'", 2)
  end
  return value[key]
end

function rt.bound(value, what)
  if type(value) ~= "number" then
    error("for statement " .. what .. " must be a number", 2)
  end
  return value
end

function rt.less(a, b)
  return a < b
end

function rt.nothing()
end
