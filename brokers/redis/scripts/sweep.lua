#!lua flags=allow-oom
-- Looks after a queue that nobody may be serving: deletes dead letters that are too old, and says whose lease is over.
-- KEYS r0  ARGV 1 most dead letters  2 their most ms  -> lapsed incarnations, at most 100
--!include base
--!include forget
local now = time()
forget(tonumber(ARGV[1]), now - ARGV[2])
return call('ZRANGEBYSCORE', tag .. 'leases', '-inf', '(' .. now, 'LIMIT', 0, 100)
