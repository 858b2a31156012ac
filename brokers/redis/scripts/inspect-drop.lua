#!lua flags=allow-oom
-- Deletes dead letters.
-- KEYS r0  ARGV 1 only if it died at this score, '' for whenever  2... members  -> { how many were looked at, members that are not there }
--!include base
local reply = { #ARGV - 1 }
for i = 2, #ARGV do
  local score = call('ZSCORE', tag .. 'dead', ARGV[i])
  if score and (ARGV[1] == '' or ARGV[1] == score) then
    call('ZREM', tag .. 'dead', ARGV[i])
    call('HDEL', tag .. 'dead:b', ARGV[i])
  else
    reply[#reply + 1] = ARGV[i]
  end
end
return reply
