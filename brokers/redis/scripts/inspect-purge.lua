#!lua flags=allow-oom
-- Deletes what waits, at once: Redis frees what an unlinked key held in a thread of its own, however much it is.
-- KEYS r0  -> how many messages there were
--!include base
local purged = call('ZCARD', tag .. 'delayed')
for _, list in ipairs({ 'r0', 'r1', 'r2', 'again' }) do
  local holes = tonumber(call('HGET', tag .. 'meta', 'holes:' .. list) or 0)
  purged = purged + math.max(0, call('LLEN', tag .. list) - math.max(0, holes))
  call('UNLINK', tag .. list)
  call('HDEL', tag .. 'meta', 'holes:' .. list)
end
call('UNLINK', tag .. 'delayed', tag .. 'delayed:b')
return purged
