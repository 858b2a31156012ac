#!lua
-- Stores a batch in one queue. A call that is made again, as its answer was lost, stores nothing and answers the same: each process has a few tokens
-- a queue, keys that are used by one call at a time, and numbers its calls on each. The token is set last: a push that is refused in the middle must
-- not be taken for one that was done.
-- KEYS r0  ARGV token, number of the call, records  -> '' or a digit a record; false when a later call was made on this token
--!include base
--!include write
local key = tag .. 'tok:' .. ARGV[1]
local number = tonumber(ARGV[2])
local last = call('GET', key)
if last then
  local space = string.find(last, ' ', 1, true)
  local seen = tonumber(sub(last, 1, space - 1))
  if seen == number then
    call('SET', key, last, 'PX', 600000) -- a write: whoever waits for replicas waits for all before it
    return sub(last, space + 1)
  end
  if seen > number then return false end
end
local verdicts = store(tag, ARGV[3], time())
call('SET', key, ARGV[2] .. ' ' .. verdicts, 'PX', 600000)
return verdicts
