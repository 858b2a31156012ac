-- Slots: who waits comes by its number. The guess of how long is from how long slots are held.
local SHORTEST_WAIT = 50

local function without(members, others, before)
  local gone = call('ZRANGEBYSCORE', members, '-inf', before)
  if #gone == 0 then return end
  others(gone)
  each('ZREM', members, gone)
end
local function acquireSlot(part, max, lease, ticket, now)
  local limit, places, asks, holders = part('l'), part('p'), part('u'), part('h')
  without(holders, function(gone)
    for i, one in ipairs(gone) do call('HDEL', limit, '=' .. one) end
  end, now)
  without(asks, function(gone) each('ZREM', places, gone) end, now)
  local waitMs = 0
  if call('ZSCORE', holders, ticket) then
    call('ZADD', holders, now + lease, ticket)
  else
    local rank = call('ZRANK', places, ticket)
    local ahead = rank or call('ZCARD', places)
    if ahead < max - call('ZCARD', holders) then
      call('ZADD', holders, now + lease, ticket)
      call('HSET', limit, '=' .. ticket, now)
      if rank then
        call('ZREM', places, ticket)
        call('ZREM', asks, ticket)
      end
    else
      waitMs = math.ceil(math.max(SHORTEST_WAIT, (ahead + 1) / max * tonumber(call('HGET', limit, 'm') or 0)))
      call('ZADD', asks, now + waitMs + lease, ticket)
      if not rank then call('ZADD', places, call('HINCRBY', limit, 'n', 1), ticket) end
    end
  end
  local last = now
  for _, key in ipairs({ holders, asks }) do
    local latest = call('ZRANGE', key, -1, -1, 'WITHSCORES')[2]
    if latest then last = math.max(last, tonumber(latest)) end
  end
  return waitMs, last - now
end
