-- The result of a transformation as JSON: sorted keys, the number text of Go.

local rt = ...
local type, next, rawget, rawequal, error, tostring = type, next, rawget, rawequal, error, tostring
local find, gsub, format, byte, concat, sort = string.find, string.gsub, string.format, string.byte, table.concat, table.sort
local getmetatable, floor = debug.getmetatable, math.floor
local host, table_length = rt.host, rt.table_length
local DEEPEST = 1000

local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t",
  ["\b"] = "\\b", ["\f"] = "\\f" }

local function escape(character)
  local short = escapes[character]
  return short or format("\\u%04x", byte(character))
end

local function text(value)
  if find(value, '[%z\1-\31"\\<>&]') then
    value = gsub(value, '[%z\1-\31"\\<>&]', escape)
  end
  if find(value, "\226\128[\168\169]") then
    value = gsub(gsub(value, "\226\128\168", "\\u2028"), "\226\128\169", "\\u2029")
  end
  return '"' .. value .. '"'
end

local function number(value)
  if floor(value) == value and value > -1e15 and value < 1e15 and value ~= 0 then
    return format("%d", value)
  elseif value == 0 then
    return 1 / value < 0 and "-0" or "0"
  end
  local done, result = host.json_number(value)
  if not done then
    error(result, 0)
  end
  return result
end

local write

local function write_list(t, n, parts, depth)
  parts[#parts + 1] = "["
  for index = 1, n do
    if index > 1 then
      parts[#parts + 1] = ","
    end
    write(rawget(t, index), parts, depth)
  end
  parts[#parts + 1] = "]"
end

local function write_object(t, parts, depth)
  local names, values = {}, {}
  for key, value in next, t do
    if type(key) == "number" then
      key = rt.number_text(key)
    elseif type(key) ~= "string" then
      key = tostring(key)
    end
    names[#names + 1], values[key] = key, value
  end
  sort(names)
  parts[#parts + 1] = "{"
  for index = 1, #names do
    local name = names[index]
    parts[#parts + 1] = (index > 1 and "," or "") .. text(name) .. ":"
    write(values[name], parts, depth)
  end
  parts[#parts + 1] = "}"
end

function write(value, parts, depth)
  local kind = type(value)
  if kind == "string" then
    parts[#parts + 1] = text(value)
  elseif kind == "number" then
    parts[#parts + 1] = number(value)
  elseif kind == "boolean" then
    parts[#parts + 1] = value and "true" or "false"
  elseif kind == "nil" then
    parts[#parts + 1] = "null"
  elseif kind == "table" then
    if depth == DEEPEST then
      error("json: nested too deeply", 0)
    end
    local meta = getmetatable(value)
    local n = table_length(value)
    if n > 0 or (meta and rawequal(rawget(meta, "__is_array"), true)) then
      write_list(value, n, parts, depth + 1)
    else
      write_object(value, parts, depth + 1)
    end
  else
    error("json: unsupported type: " .. kind, 0)
  end
end

function rt.json(value)
  local parts = {}
  write(value, parts, 0)
  return concat(parts)
end
