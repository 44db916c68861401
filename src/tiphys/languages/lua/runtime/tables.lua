-- Tables as the original keeps them: the length is the largest positive index in use, holes or
-- not, and pairs() walks the list part first and then the other keys in the order of their
-- insertion.  The engine's own tables do neither, so two things are noted beside them: where a
-- list has holes, and, for scripts that walk tables, the order of keys.

local rt = ...
local type, rawget, rawset, next, pairs = type, rawget, rawset, next, pairs
local getmetatable, setmetatable, fail = debug.getmetatable, setmetatable, rt.fail
local floor, select = math.floor, select
local weak = { __mode = "k" }
local LARGEST_INDEX = 67108864

local holes   -- table -> an index that no positive index in use exceeds
local orders  -- table -> { n = number of keys, [1...n] = keys, place = { key -> 1...n } }
local ordered -- whether this script asks for the order

function rt.fresh_tables()
  holes, orders, ordered = setmetatable({}, weak), setmetatable({}, weak), false
end

function rt.keep_order()
  ordered = true
end

local function is_index(key)
  return type(key) == "number" and key >= 1 and key < LARGEST_INDEX and floor(key) == key
end

local function length(t)
  local bound = holes[t]
  if not bound then
    return #t
  end
  while bound > 0 and rawget(t, bound) == nil do
    bound = bound - 1
  end
  holes[t] = bound
  return bound
end

local rawlength = rawlen
local function plain_length(t)
  local bound = holes[t]
  if bound then
    return length(t)
  end
  return rawlength(t)
end
rt.table_length = plain_length

local function order_of(t)
  local order = orders[t]
  if not order then
    order = { n = 0, place = {} }
    for key in next, t do
      if not is_index(key) then
        local n = order.n + 1
        order.n, order[n], order.place[key] = n, key, n
      end
    end
    orders[t] = order
  end
  return order
end

-- Note what writing value under key, which rawset will do next, changes.
local function note(t, key, value)
  if is_index(key) then
    local bound = holes[t]
    if bound then
      if value ~= nil and key > bound then
        holes[t] = key
      end
    elseif value == nil then
      local n = rawlength(t)
      if key < n then
        holes[t] = n
      end
    else
      local n = rawlength(t)
      if key > n + 1 then
        holes[t] = key
        if ordered then
          order_of(t)
        end
      end
    end
  elseif ordered and value ~= nil and key ~= nil and key == key then
    local order = order_of(t)
    if not order.place[key] then
      local n = order.n + 1
      order.n, order[n], order.place[key] = n, key, n
    end
  end
end

local function raw_store(t, key, value)
  note(t, key, value)
  rawset(t, key, value)
end
rt.raw_store = raw_store

function rt.store(t, key, value)
  if type(t) == "table" then
    local meta = getmetatable(t)
    if meta == nil or rawget(meta, "__newindex") == nil or rawget(t, key) ~= nil then
      if key == nil then
        fail("table index is nil")
      elseif key ~= key then
        fail("table index is NaN")
      end
      note(t, key, value)
      rawset(t, key, value)
      return
    end
    local handler = rawget(meta, "__newindex")
    if type(handler) == "table" then
      return rt.store(handler, key, value)
    end
  end
  if type(t) ~= "table" and rt.handler(t, "__newindex") == nil then
    fail("attempt to index a non-table object(" .. type(t) .. ") with key '" .. rt.text(key) .. "'")
  end
  t[key] = value
end

-- A list that may have been written with nil in it.
function rt.checked(t)
  local bound = 0
  for key in next, t do
    if is_index(key) and key > bound then
      bound = key
    end
  end
  for index = 1, bound do
    if rawget(t, index) == nil then
      holes[t] = bound
      break
    end
  end
  return t
end

function rt.table(list, count, keys, values)
  local t = rt.checked(list)
  local positional = plain_length(t)
  for index = 1, count do
    local key, value = keys[index], values[index]
    if is_index(key) and key <= positional then
      value = rawget(t, key) -- the list part is written last
    elseif key == nil then
      fail("table index is nil")
    elseif key ~= key then
      fail("table index is NaN")
    end
    raw_store(t, key, value)
  end
  return t
end

function rt.arguments(...)
  local t = { ... }
  t.n = select("#", ...)
  return rt.checked(t)
end

local function following(t, key)
  if not holes[t] and not orders[t] then
    return next(t, key)
  end
  local order, place = order_of(t), 0
  if key == nil or is_index(key) then
    for index = (key or 0) + 1, plain_length(t) do
      local value = rawget(t, index)
      if value ~= nil then
        return index, value
      end
    end
  else
    place = order.place[key] or 0
  end
  for index = place + 1, order.n do
    local value = rawget(t, order[index])
    if value ~= nil then
      return order[index], value
    end
  end
  return nil
end

local check = rt.check_table

function rt.base.next(t, key)
  check(t, 1, "next")
  return following(t, key)
end

function rt.base.pairs(t)
  check(t, 1, "pairs")
  return following, t, nil
end

local function next_item(t, index)
  index = index + 1
  local value = rawget(t, index)
  if value ~= nil then
    return index, value
  end
end

function rt.base.ipairs(t)
  check(t, 1, "ipairs")
  return next_item, t, 0
end

function rt.base.rawget(t, key)
  check(t, 1, "rawget")
  return rawget(t, key)
end

function rt.base.rawset(t, key, value)
  check(t, 1, "rawset")
  raw_store(t, key, value)
end

local unpack = table.unpack
function rt.base.unpack(t, first, last)
  check(t, 1, "unpack")
  return unpack(t, rt.integer(first, 1, 2, "unpack"), rt.integer(last, plain_length(t), 3, "unpack"))
end

local library = rt.libraries.table

function library.getn(t)
  check(t, 1, "getn")
  return plain_length(t)
end

function library.maxn(t)
  check(t, 1, "maxn")
  return plain_length(t)
end

function library.insert(...)
  local count = select("#", ...)
  local t, position, value = ...
  check(t, 1, "insert")
  if count == 1 then
    fail("wrong number of arguments")
  end
  local n = plain_length(t)
  if count == 2 then
    if position ~= nil then
      raw_store(t, n + 1, position)
    end
    return
  end
  position = rt.integer(position, nil, 2, "insert")
  if position >= 1 then
    for index = n, position, -1 do
      raw_store(t, index + 1, rawget(t, index))
    end
  end
  raw_store(t, position, value)
end

function library.remove(...)
  local t, position = ...
  check(t, 1, "remove")
  local n = plain_length(t)
  if n == 0 then
    return nil
  end
  if select("#", ...) == 1 then
    position = n
  else
    position = rt.integer(position, nil, 2, "remove")
    if position > n then
      return nil
    elseif position < 1 then
      position = n
    end
  end
  local removed = rawget(t, position)
  for index = position, n - 1 do
    raw_store(t, index, rawget(t, index + 1))
  end
  raw_store(t, n, nil)
  return removed
end

local concat = table.concat
function library.concat(t, separator, first, last)
  check(t, 1, "concat")
  separator = rt.optional_string(separator, "", 2, "concat")
  local n = plain_length(t)
  first = rt.integer(first, 1, 3, "concat")
  if last == nil and first ~= 1 and (first > n or first < 1) then
    return ""
  end
  last = rt.integer(last, n, 4, "concat")
  first = first < 1 and 1 or first > n and n > 0 and n or first
  last = last > n and n or last
  local parts = {}
  for index = first, last do
    local value = rawget(t, index)
    local kind = type(value)
    if kind == "number" then
      value = rt.number_text(value)
    elseif kind ~= "string" then
      fail("invalid value (" .. kind .. ") at index " .. index .. " in table for concat")
    end
    parts[#parts + 1] = value
  end
  return concat(parts, separator)
end

-- Stable, like the original's for up to twelve elements; for more it promises nothing.
local function merge_sort(t, n, less)
  local from, to = t, {}
  local width = 1
  while width < n do
    for left = 1, n, 2 * width do
      local right, limit = left + width, left + 2 * width
      local a, a_end = left, right > n and n or right - 1
      local b, b_end = right, limit > n and n or limit - 1
      for index = left, b_end > a_end and b_end or a_end do
        if a <= a_end and (b > b_end or not less(from[b], from[a])) then
          to[index], a = from[a], a + 1
        else
          to[index], b = from[b], b + 1
        end
      end
    end
    from, to = to, from == t and {} or from
    width = 2 * width
  end
  return from
end

function library.sort(...)
  local t, less = ...
  check(t, 1, "sort")
  if select("#", ...) == 1 then
    less = rt.less
  elseif type(less) ~= "function" then
    rt.argument_error(2, "sort", "function expected, got " .. type(less))
  end
  local n, copy = plain_length(t), {}
  for index = 1, n do
    copy[index] = rawget(t, index)
  end
  local sorted = merge_sort(copy, n, less)
  for index = 1, n do
    rawset(t, index, sorted[index])
  end
end
