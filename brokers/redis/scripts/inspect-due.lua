#!lua flags=allow-oom
-- Makes ready what is due, as a take would: who looks at a queue that nobody serves sees it in the order in which it would be taken.
-- KEYS r0  ARGV 1 most  -> how many
--!include base
--!include write
--!include move
local due = call('ZRANGEBYSCORE', tag .. 'delayed', '-inf', time() + 1 - STEP, 'WITHSCORES', 'LIMIT', 0, ARGV[1])
for i = 1, #due, 2 do
  local name = due[i]
  local frame = call('HGET', tag .. 'delayed:b', name)
  if frame then put(frame, math.floor(tonumber(due[i + 1]))) end
  call('ZREM', tag .. 'delayed', name)
  call('HDEL', tag .. 'delayed:b', name)
end
if #due > 0 then wake(tag) end
return #due / 2
