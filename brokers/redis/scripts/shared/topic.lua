-- A topic is a list of entries: 8 bytes number, 6 bytes when it ends in ms, the value. Numbers rise by one, so that a cursor, the number of an entry,
-- says where its successor is. The first number of a topic is a time in microseconds: above those of the topic of this name that ended before.
local function numberOf(entry)
  return (unpack_('>I8', entry))
end
local function endOf(entry)
  return (unpack_('>I6', entry, 9))
end
local function lastOf(key)
  local last = call('LINDEX', key, -1)
  if last then return numberOf(last) end
  local t = call('TIME')
  return t[1] * 1000000 + t[2]
end
-- Drops the oldest: those that are too many, and at most so many that have ended.
local function forget(key, length, most, now, times)
  local over = math.max(0, length - most)
  while times > 0 do
    local entry = call('LINDEX', key, over)
    if not entry or endOf(entry) > now then break end
    over, times = over + 1, times - 1
  end
  if over > 0 then call('LTRIM', key, over, -1) end
end
