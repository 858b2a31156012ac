#!lua flags=no-writes
-- What an incarnation holds, in the order in which it was taken: a piece of it, or one message.
-- KEYS r0  ARGV 1 incarnation  2, 3 trip and index behind which it begins  4 most  5 bytes, about  6 id, or '' for all
-- -> { the field that was looked at last, '' when it was the last of all, field and frame of each }
--!include base
local leased, trip0, index0, most, budget = tag .. 'leased:' .. ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local fields = {}
for _, field in ipairs(call('HKEYS', leased)) do
  local trip, index = string.match(field, '^(%d+)%.(%d+)$')
  trip, index = tonumber(trip), tonumber(index)
  if trip and (trip > trip0 or (trip == trip0 and index > index0)) then fields[#fields + 1] = { name = field, trip = trip, index = index } end
end
table.sort(fields, function(a, b)
  if a.trip ~= b.trip then return a.trip < b.trip end
  return a.index < b.index
end)
local reply, bytes, last = { '' }, 0, nil
for i, field in ipairs(fields) do
  if i > most or bytes >= budget then
    reply[1] = last
    break
  end
  local frame = call('HGET', leased, field.name)
  bytes, last = bytes + #frame, field.name
  if ARGV[6] == '' or idOf(frame) == ARGV[6] then
    reply[#reply + 1] = field.name
    reply[#reply + 1] = frame
  end
end
return reply
