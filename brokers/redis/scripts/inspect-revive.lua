#!lua flags=allow-oom
-- Dead letters back to ready, in their queue or in another one that stands on the same node.
-- KEYS r0, r0 of where they go  ARGV 1 bytes, about  2... members  -> { how many were looked at, members that are not there }
--!include base
--!include write
--!include letter
local to, now, bytes, reply = sub(KEYS[2], 1, -3), time(), 0, { 0 }
for i = 2, #ARGV do
  local letter = call('HGET', tag .. 'dead:b', ARGV[i])
  local frame = letter and call('ZSCORE', tag .. 'dead', ARGV[i]) and reborn(letter, now)
  if frame then
    call('RPUSH', to .. 'r' .. bandOf(frame), frame)
    call('ZREM', tag .. 'dead', ARGV[i])
    call('HDEL', tag .. 'dead:b', ARGV[i])
    bytes = bytes + #frame
  else
    reply[#reply + 1] = ARGV[i]
  end
  reply[1] = i - 1
  if bytes >= tonumber(ARGV[1]) then break end
end
if bytes > 0 then wake(to) end
return reply
