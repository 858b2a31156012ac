#!lua flags=no-writes
-- A page of the members of a set, in the order of their bytes.
-- KEYS set (store-gather.lua)  ARGV 1 most members  2 most bytes, about  3 where the page before ended, behind '(', or '-'
-- -> 1 when there are more, and two a member: the member, its value or false
--!include common
--!include parts
local most, budget, values = tonumber(ARGV[1]), tonumber(ARGV[2]), partsOf(KEYS[1])('gv')
local names = call('ZRANGEBYLEX', KEYS[1], ARGV[3], '+', 'LIMIT', 0, most + 1)
local count, bytes, done = math.min(most, #names), 0, { 0 }
for i = 1, count do
  if bytes > budget then
    count = i - 1
    break
  end
  local value = call('HGET', values, '=' .. names[i])
  bytes = bytes + #names[i] + (value and #value or 0)
  done[2 * i] = names[i]
  done[2 * i + 1] = value
end
if count < #names then done[1] = 1 end
return done
