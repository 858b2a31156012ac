-- Deletes the oldest dead letters where there are more, or older ones, than are kept; a bounded number a call. Says how many.
local function forget(most, before)
  local dead, bodies = tag .. 'dead', tag .. 'dead:b'
  local over = call('ZCARD', dead) - most
  local old = over > 0 and call('ZRANGE', dead, 0, math.min(over, 256) - 1) or call('ZRANGEBYSCORE', dead, '-inf', '(' .. before, 'LIMIT', 0, 256)
  each('HDEL', bodies, old)
  each('ZREM', dead, old)
  return #old
end
