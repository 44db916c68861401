-- The mathematical functions, coroutines, and the harmless part of the os library.

local rt = ...
local type, select, error, fail = type, select, error, rt.fail
local host, base, number_text, parse = rt.host, rt.base, rt.number_text, rt.parse_number
local integer, argument_error = rt.integer, rt.argument_error
local create, resume, running = coroutine.create, coroutine.resume, coroutine.running
local status, yield = coroutine.status, coroutine.yield
local random, math = math.random, math
local LN2, LN10 = 0.693147180559945309417232121458176568, 2.30258509299404568401799145468436421

local function number(value, position, name)
  if type(value) == "number" then
    return value
  elseif type(value) == "string" then
    local parsed = parse(value)
    if parsed then
      return parsed
    end
  end
  argument_error(position, name, "number expected, got " .. type(value))
end

local library = rt.libraries.math
for _, name in ipairs { "abs", "acos", "asin", "atan", "ceil", "cos", "cosh", "exp", "floor",
  "frexp", "log", "modf", "sin", "sinh", "sqrt", "tan", "tanh" } do
  local plain = math[name]
  library[name] = function(value)
    return plain(number(value, 1, name))
  end
end

for name, plain in pairs { atan2 = math.atan2, fmod = math.fmod, pow = rt.plain_power } do
  library[name] = function(a, b)
    return plain(number(a, 1, name), number(b, 2, name))
  end
end

function library.deg(value)
  return number(value, 1, "deg") * 180 / math.pi
end

function library.rad(value)
  return number(value, 1, "rad") * math.pi / 180
end

-- By way of the binary logarithm, as the original computes it.
function library.log10(value)
  value = number(value, 1, "log10")
  local fraction, exponent = math.frexp(value)
  local binary = exponent - 1
  if fraction ~= 0.5 then
    binary = math.log(fraction) * (1 / LN2) + exponent
  end
  return binary * (LN2 / LN10)
end

function library.ldexp(value, exponent)
  return math.ldexp(number(value, 1, "ldexp"), integer(exponent, nil, 2, "ldexp"))
end

function library.mod(a, b)
  return rt.plain_modulo(number(a, 1, "mod"), number(b, 2, "mod"))
end

local function extreme(name, better)
  library[name] = function(...)
    if select("#", ...) == 0 then
      fail("wrong number of arguments")
    end
    local values = { ... }
    local best = number(values[1], 1, name)
    for index = 2, select("#", ...) do
      local value = number(values[index], index, name)
      if better(value, best) then
        best = value
      end
    end
    return best
  end
end
extreme("max", function(a, b) return a > b end)
extreme("min", function(a, b) return a < b end)

function library.random(...)
  local count = select("#", ...)
  if count == 0 then
    return random()
  end
  local low, high = 1, (...)
  if count > 1 then
    low, high = ...
  end
  low, high = integer(low, nil, 1, "random"), integer(high, nil, count > 1 and 2 or 1, "random")
  if high < low then
    fail("invalid argument to Intn")
  end
  return random(low, high)
end

function library.randomseed(seed)
  integer(seed, nil, 1, "randomseed")
end

library.pi, library.huge = math.pi, 1.7976931348623157e308

local threads = rt.libraries.coroutine
local messages = {
  ["cannot resume dead coroutine"] = "can not resume a dead thread",
  ["cannot resume non-suspended coroutine"] = "can not resume a running thread",
}

local function outcome(done, ...)
  if done then
    return true, ...
  end
  local message = ...
  return false, messages[message] or rt.reworded(message)
end

local function results(done, ...)
  if done then
    return ...
  end
  local message = ...
  if messages[message] then
    fail(messages[message])
  end
  error(rt.reworded(message), 0)
end

function threads.create(f)
  if type(f) ~= "function" then
    argument_error(1, "create", "function expected, got " .. type(f))
  end
  return create(f)
end

function threads.resume(thread, ...)
  if type(thread) ~= "thread" then
    argument_error(1, "resume", "thread expected, got " .. type(thread))
  end
  return outcome(resume(thread, ...))
end

function threads.running()
  local thread, is_main = running()
  if is_main then
    return nil
  end
  return thread
end

function threads.status(thread)
  if type(thread) ~= "thread" then
    argument_error(1, "status", "thread expected, got " .. type(thread))
  end
  return status(thread)
end

function threads.wrap(f)
  if type(f) ~= "function" then
    argument_error(1, "wrap", "function expected, got " .. type(f))
  end
  local thread = create(f)
  return function(...)
    return results(resume(thread, ...))
  end
end

function threads.yield(...)
  local _, is_main = running()
  if is_main then
    fail("can not yield from outside of a coroutine")
  end
  return yield(...)
end

local system = rt.libraries.os
local clock, time = os.clock, os.time

function system.clock()
  return clock()
end

function system.difftime(a, b)
  return integer(a, nil, 1, "difftime") - integer(b, nil, 2, "difftime")
end

function system.time(t)
  if t == nil then
    return time()
  elseif type(t) ~= "table" then
    argument_error(1, "time", "table expected, got " .. type(t))
  end
  return host.time(t.year, t.month, t.day, t.hour, t.min, t.sec)
end

function system.date(template, moment)
  template = template == nil and "%c" or rt.check_string(template, 1, "date")
  moment = integer(moment, time(), 2, "date")
  local done, result, month, day, hour, minute, second, weekday = host.date(template, moment)
  if not done then
    fail(result)
  elseif month == nil then
    return result
  end
  return {
    year = result, month = month, day = day, hour = hour, min = minute, sec = second,
    wday = weekday, yday = 0, isdst = false,
  }
end

-- There is no environment.
function system.getenv(name)
  rt.check_string(name, 1, "getenv")
  return nil
end

function system.setlocale()
  return false
end
