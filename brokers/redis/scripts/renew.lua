#!lua flags=allow-oom
-- Renews the lease of an incarnation that holds something, from beside the event loop.
-- KEYS r0  ARGV 1 incarnation  2 lease ms  -> 1, or 0 when it is fenced or never joined
--!include base
local seen = call('HGET', tag .. 'leased:' .. ARGV[1], '#')
if not seen or seen == 'x' then return 0 end
call('ZADD', tag .. 'leases', time() + ARGV[2], ARGV[1])
return 1
