#!lua flags=allow-oom
-- Tickets give back slots, or places that are reserved for later; also when memory is full.
-- KEYS 1 token  2... limits, one a ticket (shared/limit.lua)  ARGV 1 number  2... tickets
-- -> ''; false when a later call was made on this token
--!include common
--!include token
--!include limit
local MEAN_OVER = 8 -- the mean follows about so many of the last holds
local now = time()
for i = 2, #KEYS do
  local limit, ticket, part = KEYS[i], ARGV[i], partsOf(KEYS[i])
  local kind = call('HGET', limit, 'kind')
  local places, holders = part('p'), part('h')
  if kind then call('ZREM', places, ticket) end
  if kind == 'slots' then
    call('ZREM', part('u'), ticket)
    local since = call('HGET', limit, '=' .. ticket)
    if since then
      local held, mean = now - since, tonumber(call('HGET', limit, 'm') or 0)
      call('HSET', limit, 'm', mean == 0 and held or mean + (held - mean) / MEAN_OVER)
      call('HDEL', limit, '=' .. ticket)
      call('ZREM', holders, ticket)
    end
    if call('ZCARD', holders) + call('ZCARD', places) == 0 then endLimit(part) end
  elseif kind and call('ZCARD', places) == 0 then
    endPlans(part, kind)
  end
end
return answer('')
