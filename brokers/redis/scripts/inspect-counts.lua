#!lua flags=no-writes
-- How many messages of a queue are where.
-- KEYS r0  -> { ready, delayed, leased, suspect, dead, how long the oldest ready one waits in ms, paused, how many of those ready are only due }
--!include base
--!include look
local now, oldest = (time()), nil
local FRACTION = 1 - 1 / 1024
local function length(list)
  local holes = tonumber(call('HGET', tag .. 'meta', 'holes:' .. list) or 0)
  return math.max(0, call('LLEN', tag .. list) - math.max(0, holes))
end
-- Behind what several gave back an older one may stand: so the first few are looked at, and no more, as this is asked often.
for band = 0, 2 do
  local bytes = 0
  look('r' .. band, 0, 1, 16, 65536, function(frame)
    bytes = bytes + #frame
    if isFrame(frame) then oldest = math.min(oldest or now, (unpack_('>I6', frame))) end
    return bytes >= 65536
  end)
end
local due = call('ZCOUNT', tag .. 'delayed', '-inf', now + FRACTION)
if due > 0 then
  local first = call('ZRANGE', tag .. 'delayed', 0, 0, 'WITHSCORES')
  oldest = math.min(oldest or now, math.floor(tonumber(first[2])))
end
local leased = 0
for _, incarnation in ipairs(call('ZRANGE', tag .. 'leases', 0, -1)) do
  local key = tag .. 'leased:' .. incarnation
  leased = leased + call('HLEN', key) - call('HEXISTS', key, '#')
end
return {
  length('r0') + length('r1') + length('r2') + due,
  call('ZCARD', tag .. 'delayed') - due,
  leased,
  length('again'),
  call('ZCARD', tag .. 'dead'),
  now - (oldest or now),
  call('HEXISTS', tag .. 'meta', 'paused'),
  due,
}
