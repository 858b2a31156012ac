#!lua flags=no-writes
-- One page of what is delayed or dead, by time. It begins behind a place that may be gone by now.
-- KEYS r0  ARGV 1 'delayed' or 'dead'  2, 3 score and member behind which it begins, '' at first  4 most  5 bytes, about
-- -> { '1' when there are more, member, score and body of each, '' where there is no body }
--!include base
local zset, bodies, most, budget = tag .. ARGV[1], tag .. ARGV[1] .. ':b', tonumber(ARGV[4]), tonumber(ARGV[5])
-- As the set is sorted: by bytes, and Lua's `<` goes by the language of the server.
local function isBehind(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x > y end
  end
  return #a > #b
end
local rank = ARGV[1] == 'delayed' and call('ZCOUNT', zset, '-inf', time() + 1 - 1 / 1024) or 0 -- what is due is ready
if ARGV[2] ~= '' then
  local low, high = call('ZCOUNT', zset, '-inf', '(' .. ARGV[2]), call('ZCOUNT', zset, '-inf', ARGV[2])
  while low < high do
    local middle = math.floor((low + high) / 2)
    if isBehind(call('ZRANGE', zset, middle, middle)[1], ARGV[3]) then high = middle else low = middle + 1 end
  end
  rank = math.max(rank, low)
end
local found = call('ZRANGE', zset, rank, rank + most, 'WITHSCORES')
local reply, bytes = { '0' }, 0
for i = 1, #found, 2 do
  if i > 2 * most or (i > 1 and bytes + call('HSTRLEN', bodies, found[i]) > budget) then
    reply[1] = '1'
    break
  end
  local body = call('HGET', bodies, found[i]) or ''
  bytes = bytes + #body
  reply[#reply + 1] = found[i]
  reply[#reply + 1] = found[i + 1]
  reply[#reply + 1] = body
end
return reply
