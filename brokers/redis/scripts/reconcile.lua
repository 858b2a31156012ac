#!lua flags=allow-oom
-- After an answer was lost: what the consumer still holds, and what it holds without knowing.
-- KEYS r0  ARGV 1 incarnation  2 number  3 lease ms  4 fields that it knows, by spaces
-- -> { 'OK', now, a digit for each field of 4 ('1': held), records of the others: 1 byte length of the field, the field, 4 bytes length, the frame }
--!include base
local incarnation, number = ARGV[1], tonumber(ARGV[2])
local leases, leased, now = tag .. 'leases', tag .. 'leased:' .. incarnation, (time())
--!include number
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
