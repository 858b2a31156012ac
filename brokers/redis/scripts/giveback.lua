#!lua flags=allow-oom
-- Puts back what an incarnation holds, to the head and in the order in which it was taken: all in a few calls, as one is bounded. From the first of
-- them on the incarnation is fenced.
-- KEYS r0  ARGV 1 incarnation  2 most in this call  3 '1': only if its lease lapsed, which is counted in each message; '0': it leaves by itself
-- -> how many are left, or -1 when there was nothing to do
--!include base
--!include write
local leases, leased = tag .. 'leases', tag .. 'leased:' .. ARGV[1]
local counted = ARGV[3] == '1'
local deadline = call('ZSCORE', leases, ARGV[1])
if not deadline or (counted and tonumber(deadline) >= time()) then return -1 end
call('HSET', leased, '#', 'x')

local fields = {}
for _, field in ipairs(call('HKEYS', leased)) do
  local trip, index = string.match(field, '^(%d+)%.(%d+)$')
  if trip then fields[#fields + 1] = { name = field, trip = tonumber(trip), index = tonumber(index) } end
end
table.sort(fields, function(a, b)
  if a.trip ~= b.trip then return a.trip > b.trip end
  return a.index > b.index
end)
local gone = {}
for i = 1, math.min(#fields, tonumber(ARGV[2])) do
  local field = fields[i].name
  local frame = call('HGET', leased, field)
  local lapses = lapsesOf(frame)
  if counted and isFrame(frame) then
    lapses = math.min(lapses + 1, 65535)
    frame = sub(frame, 1, 8) .. pack('>I2', lapses) .. sub(frame, 11)
  end
  call('LPUSH', lapses >= SUSPECT_LAPSES and tag .. 'again' or tag .. 'r' .. bandOf(frame), frame)
  gone[#gone + 1] = field
end
each('HDEL', leased, gone)
local left = #fields - #gone
if left == 0 then
  call('DEL', leased)
  call('ZREM', leases, ARGV[1])
end
if #gone > 0 then wake(tag) end
return left
