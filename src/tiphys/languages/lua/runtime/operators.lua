-- Operators whose results differ between the engines: how a number prints, how a string counts as
-- a number, what # is.

local rt = ...
local type, rawget, select, tostring, fail = type, rawget, select, tostring, rt.fail
local getmetatable = debug.getmetatable
local fmod, frexp, ldexp, floor, HUGE = math.fmod, math.frexp, math.ldexp, math.floor, math.huge
local concat = table.concat
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

-- Powers by repeated squaring of the mantissa, as the original computes them: their last digits
-- show in large whole numbers.
local function power(x, y)
  local size = y < 0 and -y or y
  if y ~= y or x ~= x or x == 0 or size == HUGE or x == HUGE or x == -HUGE
    or size == 0.5 or size < 1 or size >= 9e15 or floor(y) ~= y then
    return x ^ y
  end
  local result, result_exponent = 1, 0
  local base, exponent = frexp(x)
  while size >= 1 do
    if exponent < -4096 or exponent > 4096 then
      return x ^ y
    end
    if size % 2 == 1 then
      result, result_exponent = result * base, result_exponent + exponent
    end
    base, exponent, size = base * base, exponent * 2, floor(size / 2)
    if base < 0.5 then
      base, exponent = base + base, exponent - 1
    end
  end
  if y < 0 then
    result, result_exponent = 1 / result, -result_exponent
  end
  return ldexp(result, result_exponent)
end
rt.plain_power = power

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
    fail("cannot perform " .. name .. " operation between " .. type(a) .. " and " .. type(b))
  end
end

local add = arithmetic("add", function(a, b) return a + b end)
local subtract = arithmetic("sub", function(a, b) return a - b end)
local multiply = arithmetic("mul", function(a, b) return a * b end)
local divide = arithmetic("div", function(a, b) return a / b end)
local slow_modulo = arithmetic("mod", modulo)
local slow_power = arithmetic("pow", power)

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
    return power(a, b)
  end
  return (slow_power(a, b))
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
    fail("__unm undefined")
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
    fail("__len undefined")
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
        fail("cannot perform concat operation between " .. type(left) .. " and " .. type(right))
      end
      right, index = method(left, right), index - 1
    end
  end
  return right
end

rt.handler = handler

-- The text that the original's messages show for any value.
function rt.text(value)
  return type(value) == "number" and number_text(value) or tostring(value)
end

-- Used by scripts that catch errors, to see the original's words in them.
function rt.index(value, key)
  if type(value) ~= "table" and handler(value, "__index") == nil then
    fail("attempt to index a non-table object(" .. type(value) .. ") with key '" .. rt.text(key) .. "'")
  end
  return value[key]
end

function rt.bound(value, what)
  if type(value) ~= "number" then
    fail("for statement " .. what .. " must be a number")
  end
  return value
end

function rt.less(a, b)
  local kind = type(a)
  if kind ~= type(b) or (kind ~= "number" and kind ~= "string" and handler(a, "__lt") == nil) then
    fail("attempt to compare " .. kind .. " with " .. type(b))
  end
  return a < b
end

-- The arguments of a chunk behind the table of our functions.
function rt.rest(_, ...)
  return ...
end

function rt.all(...)
  return ...
end
