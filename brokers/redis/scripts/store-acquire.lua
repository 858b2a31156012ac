#!lua flags=allow-oom
-- Tickets ask limits, also when memory is full: what waits for a limit is what drains the server.
-- KEYS 1 token  2... limits, one a ticket (shared/limit.lua)
-- ARGV 1 number  2... five a ticket: the ticket, kind, then of slots max, lease ms, ''; of a bucket rate, ms, burst; of a window limit, ms, ''
-- -> for each 0: go on, or ms until its turn, by spaces; false when a later call was made on this token
--!include common
--!include token
--!include limit
--!include pace
--!include slots
local LONGEST = 1e14 -- ms
local now, waits = time(), {}
for i = 2, #KEYS do
  local at, part = 5 * i - 8, partsOf(KEYS[i])
  local ticket, kind = ARGV[at], ARGV[at + 1]
  local a, b, c = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  local before = call('HGET', KEYS[i], 'kind')
  if before ~= kind then
    if before then endLimit(part) end
    call('HSET', KEYS[i], 'kind', kind)
  end
  local waitMs, keepMs
  if kind == 'slots' then
    waitMs, keepMs = acquireSlot(part, a, b, ticket, now)
  else
    local pace = kind == 'bucket' and bucket(part, a, b, c) or (kind == 'fixed' and fixedWindow or slidingWindow)(part, a, b)
    waitMs, keepMs = acquirePace(part, kind, pace, ticket, now)
  end
  local words = kind == 'slots' and { 'l', 'h', 'p', 'u' } or kind == 'sliding' and { 'l', 'w', 'p', 'q', 'e' } or { 'l', 'p' }
  for _, word in ipairs(words) do call('PEXPIRE', part(word), math.min(math.ceil(keepMs), LONGEST)) end
  waits[i - 1] = string.format('%.0f', waitMs)
end
return answer(table.concat(waits, ' '))
