#!lua
-- Stores a batch in one queue. A call that is made again, as its answer was lost, stores nothing and answers the same: each process has a few tokens
-- a queue, keys that are used by one call at a time, and numbers its calls on each. The token is set last: a push that is refused in the middle must
-- not be taken for one that was done.
-- KEYS r0  ARGV token, number of the call, records (shared/write.lua)  -> '' or a digit a record; false when a later call was made on this token
local tag, records = string.sub(KEYS[1], 1, -3), ARGV[3]
local key, number = tag .. 'tok:' .. ARGV[1], tonumber(ARGV[2])
local seen = redis.call('MGET', key, tag .. 'onces')
local last = seen[1]
if last then
  local space = string.find(last, ' ', 1, true)
  local lastNumber = tonumber(string.sub(last, 1, space - 1))
  if lastNumber == number then
    redis.call('SET', key, last, 'PX', 600000) -- a write: whoever waits for replicas waits for all before it
    return string.sub(last, space + 1)
  end
  if lastNumber > number then return false end
end
local verdicts = ''
local length, kind = struct.unpack('>I4B', records, 1)
if kind == 0 and length + 5 == #records and not seen[2] then
  -- One message with nothing special, as most sends are: without the functions that the others need.
  local now = redis.call('TIME')
  local frame = struct.pack('>I6', now[1] * 1000 + math.floor(now[2] / 1000)) .. string.sub(records, 12)
  if redis.call('RPUSH', tag .. 'r' .. string.byte(records, 13), frame) == 1 then redis.call('SPUBLISH', tag .. 'wake', '') end
else
  --!include base
  --!include write
  verdicts = store(tag, records, time())
end
redis.call('SET', key, ARGV[2] .. ' ' .. verdicts, 'PX', 600000)
return verdicts
