#!lua flags=allow-oom
-- After an answer was lost: what the consumer still holds, and what it holds without knowing.
-- One whose first call was not answered joins by this one, so that the first is stale if it comes later.
-- KEYS r0  ARGV 1 incarnation  2 number  3 lease ms  4 fields that it knows, by spaces  5 '1': no call of it was answered
-- -> { 'OK', now, a digit for each field of 4 ('1': held), records of the others: 1 byte length of the field, the field, 4 bytes length, the frame }
--!include base
local incarnation, number = ARGV[1], tonumber(ARGV[2])
local leases, leased, now = tag .. 'leases', tag .. 'leased:' .. incarnation, (time())
if ARGV[5] == '0' or call('EXISTS', leased) == 1 then
--!include number
end
call('ZADD', leases, now + ARGV[3], incarnation)
call('HSET', leased, '#', number)
local held, known = {}, { ['#'] = true }
for field in string.gmatch(ARGV[4], '%S+') do
  known[field] = true
  held[#held + 1] = call('HEXISTS', leased, field)
end
local others = {}
for _, field in ipairs(call('HKEYS', leased)) do
  if not known[field] then
    local frame = call('HGET', leased, field)
    others[#others + 1] = pack('>B', #field) .. field .. pack('>I4', #frame)
    others[#others + 1] = frame
  end
end
return { 'OK', now, table.concat(held), table.concat(others) }
