-- Runs one script: fresh globals, the chunk, and what its last value is.

local rt = ...
local type, pairs, select, load, pcall = type, pairs, select, load, pcall
local setmetatable_of, upvaluejoin = debug.setmetatable, debug.upvaluejoin
local base, libraries = rt.base, rt.libraries

for _, functions in pairs(libraries) do
  for _, value in pairs(functions) do
    rt.own_functions[value] = true
  end
end
for _, value in pairs(base) do
  rt.own_functions[value] = true
end

local function copy(functions)
  local result = {}
  for name, value in pairs(functions) do
    result[name] = value
  end
  return result
end

local function fresh_globals(event)
  local globals = copy(base)
  for name, functions in pairs(libraries) do
    globals[name] = copy(functions)
  end
  globals._G, globals._VERSION, globals.event = globals, "Lua 5.1", event
  globals.string.__index = globals.string
  setmetatable_of("", globals.string)
  rt.globals = globals
  return globals
end

-- A chunk for run; nil and a message when the engine does not take the translation.
function rt.compile(translated)
  return load(translated, "=<string>", "t", {})
end

local function last(...)
  local count = select("#", ...)
  if count == 0 then
    return nil
  end
  return (select(count, ...))
end

local function outcome(done, ...)
  if not done then
    local message = rt.reworded((...))
    if type(message) == "table" or type(message) == "function" then
      message = base.tostring(message)
    end
    return false, type(message) == "string" and message or rt.text(message)
  end
  return true, last(...)
end

-- Whether it went well, and then the last value: its type, and true, JSON or text.
function rt.run(chunk, event)
  rt.fresh_tables()
  local globals = fresh_globals(event)
  upvaluejoin(chunk, 1, function() return globals end, 1) -- a chunk's only upvalue
  local done, value = outcome(pcall(chunk, rt))
  rt.globals = nil
  if not done then
    return false, value
  end
  local kind = type(value)
  if kind == "table" then
    local encoded, json = pcall(rt.json, value)
    return true, kind, json, encoded
  end
  return true, kind, kind == "boolean" and value or rt.text(value), true
end
