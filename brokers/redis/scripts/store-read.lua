#!lua flags=no-writes
-- What came after cursors in topics (shared/topic.lua). Looks at a bounded number of entries, as those that have ended may stand between others.
-- KEYS topics  ARGV 1 most entries of each  2 most bytes of each, about; then for each the number that it goes on after, 0: from the oldest
-- -> for each: 0 or, when it stopped within those that have ended, the number to go on after; and entries
--!include common
--!include topic
local LOOKED_AT = 10000
local most, budget, now, done = tonumber(ARGV[1]), tonumber(ARGV[2]), time(), {}
for i, key in ipairs(KEYS) do
  local after, found, bytes, last = tonumber(ARGV[i + 2]) or 0, { 0 }, 0, 0
  local first = call('LINDEX', key, 0)
  local at = first and math.max(0, after + 1 - numberOf(first)) or 0
  local stop = first and at + LOOKED_AT or 0
  local step = 4
  while at < stop and #found <= most and bytes < budget do
    local entries = call('LRANGE', key, at, at + step - 1)
    for _, entry in ipairs(entries) do
      last = numberOf(entry)
      if last > after and endOf(entry) > now then
        found[#found + 1] = entry
        bytes = bytes + #entry
        if #found > most or bytes >= budget then break end
      end
    end
    if #entries < step then stop = 0 end
    at = at + step
    step = bytes < 65536 and 256 or 4
  end
  if stop > 0 and #found == 1 then found[1] = string.format('%.0f', last) end
  done[i] = found
end
return done
