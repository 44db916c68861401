-- The string library: the engine's own pattern matcher under the original's rules.

local rt = ...
local type, select, error, tostring, fail = type, select, error, tostring, rt.fail
local find, match, gmatch, gsub = string.find, string.match, string.gmatch, string.gsub
local sub, byte, char, rep, reverse = string.sub, string.byte, string.char, string.rep, string.reverse
local lower, upper, concat = string.lower, string.upper, table.concat
local host, library, integer = rt.host, rt.libraries.string, rt.integer
local pcall, unpack = pcall, table.unpack

local function check_string(value, position, name)
  if type(value) == "string" then
    return value
  elseif type(value) == "number" then
    return rt.number_text(value)
  end
  rt.argument_error(position, name, "string expected, got " .. type(value))
end
rt.check_string = check_string

-- pattern -> what the engine understands; and -> whether the original tries it at one place only
local translated, anchored, known = {}, {}, 0

local function translate(pattern)
  local own = translated[pattern]
  if own then
    return own, anchored[pattern]
  end
  local done, result, at_start = host.pattern(pattern)
  if not done then
    fail(result)
  end
  if known == 500 then
    translated, anchored, known = {}, {}, 0
  end
  translated[pattern], anchored[pattern], known = result, at_start, known + 1
  return result, at_start
end

local function start_of(text, first)
  if first < 0 then
    first = #text + first + 1
  end
  return first < 1 and 1 or first
end

function library.find(...)
  local text, pattern, first, plain = ...
  text, pattern = check_string(text, 1, "find"), check_string(pattern, 2, "find")
  if pattern == "" then
    return 1, 0
  end
  first = start_of(text, integer(first, 1, 3, "find"))
  if plain and select("#", ...) == 4 then
    if first > #text + 1 then
      fail("slice bounds out of range")
    end
    return find(text, pattern, first, true)
  end
  local own, at_start = translate(pattern)
  return find(text, at_start and "^" .. own or own, first)
end

local function found(...)
  if (...) ~= nil then
    return ...
  end
end

function library.match(text, pattern, first)
  text, pattern = check_string(text, 1, "match"), check_string(pattern, 2, "match")
  local own, at_start = translate(pattern)
  first = start_of(text, integer(first, 1, 3, "match"))
  return found(match(text, at_start and "^" .. own or own, first))
end

function library.gmatch(text, pattern)
  text, pattern = check_string(text, 1, "gmatch"), check_string(pattern, 2, "gmatch")
  local own, at_start = translate(pattern)
  if not at_start then
    return gmatch(text, own)
  end
  local done = false
  return function()
    if not done then
      done = true
      return found(match(text, "^" .. own))
    end
  end
end
library.gfind = library.gmatch

local function replacement_text(value)
  if type(value) == "number" then
    return rt.number_text(value)
  elseif type(value) == "string" or not value then
    return value
  end
  return ""
end

-- The captures of a match, which gsub hands over after the whole of it, in place of %0 to %9.
local function fill(template, whole, ...)
  local count = select("#", ...)
  local captures = { ... }
  return (gsub(template, "%%(.?)", function(after)
    if after == "%" or after == "" then
      return "%"
    elseif not find(after, "^%d$") then
      return "%" .. after
    elseif after == "0" or (after == "1" and count == 0) then
      return whole
    end
    local capture = captures[after + 0]
    if capture == nil then
      error("invalid capture index", 0)
    end
    return replacement_text(capture)
  end))
end

-- gsub for replacements with %0 to %9, which need the whole match beside its captures.
local function fill_matches(text, pattern, at_start, template, limit)
  local parts, position, count = {}, 1, 0
  if at_start then
    pattern, limit = "^" .. pattern, 1
  end
  while (not limit or count < limit) and position <= #text + 1 do
    local results = { find(text, pattern, position) }
    local first, last = results[1], results[2]
    if not first then
      break
    end
    count = count + 1
    parts[#parts + 1] = sub(text, position, first - 1)
    parts[#parts + 1] = fill(template, sub(text, first, last), unpack(results, 3))
    position = last + 1
    if last < first then
      parts[#parts + 1] = sub(text, first, first)
      position = first + 1
    end
  end
  parts[#parts + 1] = sub(text, position)
  return concat(parts), count
end

local function replacer(replacement)
  if type(replacement) == "string" then
    if not find(replacement, "%", 1, true) then
      return function() return replacement end
    end
    return nil
  elseif type(replacement) == "table" then
    return function(key) return replacement_text(replacement[key]) end
  end
  return function(...) return replacement_text((replacement(...))) end
end

function library.gsub(text, pattern, replacement, limit)
  text, pattern = check_string(text, 1, "gsub"), check_string(pattern, 2, "gsub")
  local kind = type(replacement)
  if kind ~= "string" and kind ~= "table" and kind ~= "function" then
    rt.argument_error(3, "gsub", "string or table or function expected, got " .. kind)
  end
  limit = integer(limit, -1, 4, "gsub")
  local own, at_start = translate(pattern)
  if limit == 0 and not find(text, "^" .. own) then
    return text, 0
  end
  if limit <= 0 then
    limit = nil
  end
  local replace = replacer(replacement)
  if replace then
    return gsub(text, at_start and "^" .. own or own, replace, limit)
  end
  local done, result, count = pcall(fill_matches, text, own, at_start, replacement, limit)
  if not done then
    fail(result)
  end
  return result, count
end

function library.len(text)
  return #check_string(text, 1, "len")
end

local function change_case(plain, full, name)
  return function(text)
    text = check_string(text, 1, name)
    return find(text, "[\128-\255]") and full(text) or plain(text)
  end
end
library.lower = change_case(lower, host.lower, "lower")
library.upper = change_case(upper, host.upper, "upper")

function library.rep(text, count)
  text, count = check_string(text, 1, "rep"), integer(count, nil, 2, "rep")
  return (count < 0 or text == "") and "" or rep(text, count)
end

function library.reverse(text)
  return reverse(check_string(text, 1, "reverse"))
end

function library.sub(text, first, last)
  text = check_string(text, 1, "sub")
  return sub(text, integer(first, nil, 2, "sub"), integer(last, -1, 3, "sub"))
end

-- Without a position all bytes, with one that byte, with two those in between.
function library.byte(...)
  local text, first, last = ...
  text = check_string(text, 1, "byte")
  local n = #text
  first, last = integer(first, 1, 2, "byte"), integer(last, -1, 3, "byte")
  if first < 1 then
    first = n + first
    if select("#", ...) ~= 2 and first < 0 then
      first = 0
    end
    first = first + 1
  end
  if last < 0 then
    last = n + last + 1
  end
  if select("#", ...) == 2 then
    last = first
  elseif last > n then
    last = n
  end
  if first < 1 or first > n or last < first then
    return
  end
  return byte(text, first, last)
end

function library.char(...)
  local codes = { ... }
  for index = 1, select("#", ...) do
    codes[index] = char(integer(codes[index], nil, index, "char") % 256)
  end
  return concat(codes)
end

function library.dump()
  fail("GopherLua does not support the string.dump")
end

local kinds = { ["nil"] = "0", boolean = "b", number = "n", string = "s" }

function library.format(template, ...)
  template = check_string(template, 1, "format")
  local count = select("#", ...)
  local values, marks = { ... }, {}
  for index = 1, count do
    local value = values[index]
    marks[index] = kinds[type(value)]
    if not marks[index] then
      marks[index], values[index] = "o", tostring(value)
    elseif value == 0 and 1 / value < 0 then
      marks[index] = "z" -- Python gets whole numbers as integers, which know no -0
    end
  end
  return host.format(template, concat(marks), unpack(values, 1, count))
end
