-- What comes first: checks of arguments, numbers and their texts, and the basic functions.

local rt = ...
local type, error, tostring, select, rawget, rawset = type, error, tostring, select, rawget, rawset
local pcall, xpcall, find, gsub, sub, format = pcall, xpcall, string.find, string.gsub, string.sub, string.format
local rawequal, raw_setmetatable, floor, ceil = rawequal, setmetatable, math.floor, math.ceil
local getmetatable, set_any_metatable = debug.getmetatable, debug.setmetatable
local getinfo, getupvalue, upvaluejoin = debug.getinfo, debug.getupvalue, debug.upvaluejoin
local load, next, host, base = load, next, rt.host, rt.base

-- The place in a script that is level calls away from here, not counting functions of ours.
local function where(level)
  local depth = 2
  while true do
    local info = getinfo(depth, "Sl")
    if not info then
      return ""
    elseif info.what ~= "C" and not find(info.source, "^=%[runtime%]") then
      if level <= 1 then
        return sub(info.source, 2) .. ":" .. info.currentline .. ": "
      end
      level = level - 1
    end
    depth = depth + 1
  end
end

-- Raise an error where the script has called us.
local function fail(message)
  error(where(1) .. message, 0)
end
rt.fail = fail

local function argument_error(position, name, message)
  fail("bad argument #" .. position .. " to " .. name .. " (" .. message .. ")")
end
rt.argument_error = argument_error

function base.error(...)
  if select("#", ...) == 0 then
    argument_error(1, "error", "value expected")
  end
  local value, level = ...
  level = rt.integer(level, 1, 2, "error")
  if type(value) == "string" and level > 0 then
    -- too far up there is nothing but the script itself
    local place = where(level)
    value = (place == "" and where(level - 1) or place) .. value
  end
  error(value, 0)
end

function rt.check_table(value, position, name)
  if type(value) ~= "table" then
    argument_error(position, name, "table expected, got " .. type(value))
  end
end

local function check_function(value, position, name)
  if type(value) ~= "function" then
    argument_error(position, name, "function expected, got " .. type(value))
  end
end

-- A number without its fraction; default where it is nil and there is a default.
function rt.integer(value, default, position, name)
  if type(value) == "number" then
    return value < 0 and ceil(value) or floor(value)
  elseif value == nil and default ~= nil then
    return default
  end
  argument_error(position, name, "number expected, got " .. type(value))
end

function rt.optional_string(value, default, position, name)
  if value == nil then
    return default
  elseif type(value) ~= "string" then
    argument_error(position, name, "string expected, got " .. type(value))
  end
  return value
end

-- Whole numbers of 64 bits print as digits, all others in their shortest form.
function rt.number_text(value)
  if floor(value) == value and value >= -9.2233720368547758e18 and value < 9.2233720368547758e18 then
    return format("%d", value)
  end
  return host.number_text(value)
end

function rt.parse_number(text)
  if find(text, "^[1-9]%d?%d?%d?%d?%d?%d?%d?%d?%d?$") then
    return text + 0
  end
  return host.parse_number(text)
end

-- The event's own tables have no metatable at all in the original, which fails when it is asked.
local event_tables = raw_setmetatable({}, { __mode = "k" })

local function note_table(t)
  event_tables[t] = true
  for _, value in next, t do
    if type(value) == "table" then
      note_table(value)
    end
  end
end

function rt.note_event()
  note_table(rt.globals.event)
end

function base.getmetatable(...)
  if select("#", ...) == 0 then
    argument_error(1, "getmetatable", "value expected")
  end
  local value = ...
  local meta = getmetatable(value)
  if meta == nil then
    if type(value) == "table" and event_tables[value] then
      fail("invalid memory address or nil pointer dereference")
    end
    return nil
  end
  local shown = rawget(meta, "__metatable")
  if shown ~= nil then
    return shown
  end
  return meta
end

function base.setmetatable(t, meta)
  if type(meta) ~= "table" and meta ~= nil then
    argument_error(2, "setmetatable", "nil or table expected, got " .. type(meta))
  elseif type(t) ~= "table" then
    fail("cannot set metatable to a " .. type(t) .. " object.")
  end
  local old = getmetatable(t)
  if old and rawget(old, "__metatable") ~= nil then
    fail("cannot change a protected metatable")
  end
  -- finalizers and weak tables do not exist in the original; a finalizer could outlive its script
  local finalizer = meta and rawget(meta, "__gc")
  if finalizer ~= nil then
    rawset(meta, "__gc", nil)
  end
  raw_setmetatable(t, meta)
  if finalizer ~= nil then
    rawset(meta, "__gc", finalizer)
  end
  return t
end

function base.assert(...)
  local value, message = ...
  if value then
    return ...
  elseif message == nil then
    message = "assertion failed!"
  elseif type(message) ~= "string" then
    argument_error(2, "assert", "string expected, got " .. type(message))
  end
  fail(message)
end

-- The engine's own messages in the original's words.
local function reworded(message)
  if type(message) == "userdata" then
    return "not enough memory"
  elseif type(message) ~= "string" then
    return message
  end
  local changed, count = gsub(message, "^(<string>:%d+: )attempt to call .*$", "%1attempt to call a non-function object")
  if count == 0 then
    changed, count = gsub(message, "^(<string>:%d+: )attempt to compare two (%a+) values$", "%1attempt to compare %2 with %2")
  end
  if count == 0 then
    changed, count = gsub(message, "^(<string>:%d+: stack overflow).*$", "%1")
  end
  if count == 0 then
    changed = gsub(message, "^(<string>:%d+: bad argument #%d+ to )'(.-)' ", "%1%2 ")
  end
  return changed
end
rt.reworded = reworded

local function outcome(done, ...)
  if done then
    return true, ...
  end
  return false, reworded((...))
end

function base.pcall(...)
  if select("#", ...) == 0 then
    argument_error(1, "pcall", "value expected")
  end
  return outcome(pcall(...))
end

function base.xpcall(f, handler)
  check_function(f, 1, "xpcall")
  check_function(handler, 2, "xpcall")
  return xpcall(f, function(message) return handler(reworded(message)) end)
end

function base.tostring(...)
  if select("#", ...) == 0 then
    argument_error(1, "tostring", "value expected")
  end
  local value = ...
  if type(value) == "number" then
    return rt.number_text(value)
  end
  local meta = getmetatable(value)
  local method = type(meta) == "table" and rawget(meta, "__tostring")
  if type(method) == "function" then
    return (method(value))
  end
  if method ~= nil and method ~= false then
    set_any_metatable(value, nil)
    local text = tostring(value)
    set_any_metatable(value, meta)
    return text
  end
  return tostring(value)
end

function base.tonumber(...)
  if select("#", ...) == 0 then
    argument_error(1, "tonumber", "value expected")
  end
  local value, number_base = ...
  if number_base ~= nil then
    number_base = rt.integer(number_base, nil, 2, "tonumber")
  end
  if type(value) == "string" then
    return host.parse_word(value, number_base)
  end
  return type(value) == "number" and value or nil
end

base.type = type

function base.select(which, ...)
  if which == "#" then
    return select("#", ...)
  elseif type(which) == "string" then
    argument_error(1, "select", "invalid string '" .. which .. "'")
  elseif type(which) ~= "number" then
    argument_error(1, "select", "number or string expected, got " .. type(which))
  elseif which < 1 and (which > -1 or -which > select("#", ...)) then
    argument_error(1, "select", "index out of range")
  end
  return select(which, ...)
end

function base.rawequal(...)
  local count = select("#", ...)
  if count < 2 then
    argument_error(count + 1, "rawequal", "value expected")
  end
  return rawequal(...)
end

function base.print()
end

function base.collectgarbage()
end

local function load_script(script, name)
  local done, translated = host.translate(script, name)
  if not done then
    return nil, translated
  end
  local chunk, message = load(translated, "=" .. name, "t", rt.globals)
  if not chunk then
    return nil, message
  end
  return function(...)
    return chunk(rt, ...)
  end
end

function base.loadstring(script, name)
  script = rt.check_string(script, 1, "loadstring")
  return load_script(script, rt.optional_string(name, "<string>", 2, "loadstring"))
end

function base.load(reader, name)
  check_function(reader, 1, "load")
  local parts = {}
  while true do
    local part = reader()
    if type(part) == "number" then
      part = rt.number_text(part)
    end
    if part == nil or part == "" then
      break
    elseif type(part) ~= "string" then
      return nil, "reader function must return a string"
    end
    parts[#parts + 1] = part
  end
  return load_script(rt.concat(parts), rt.optional_string(name, "?", 2, "load"))
end

-- The place of a function's environment among its upvalues; nil where it uses no globals.
local function environment_place(f)
  for place = 1, 255 do
    local name = getupvalue(f, place)
    if name == "_ENV" or name == nil then
      return name and place
    end
  end
end

local function function_at(target)
  if type(target) == "function" then
    return target
  elseif type(target) == "number" and target >= 1 then
    local info = getinfo(target + 2, "f")
    return info and info.func
  end
end

local own_functions = raw_setmetatable({}, { __mode = "k" })
rt.own_functions = own_functions

function base.getfenv(target)
  local f = function_at(target == nil and 1 or target)
  if f and not own_functions[f] and getinfo(f, "S").what ~= "C" then
    local place = environment_place(f)
    if place then
      local _, environment = getupvalue(f, place)
      return environment
    end
  end
  return rt.globals
end

function base.setfenv(target, environment)
  rt.check_table(environment, 2, "setfenv")
  local f = function_at(target)
  if not f or own_functions[f] or getinfo(f, "S").what == "C" then
    fail("cannot change the environment of given object")
  end
  local place = environment_place(f)
  if place then
    upvaluejoin(f, place, function() return environment end, 1)
  end
  return f
end
