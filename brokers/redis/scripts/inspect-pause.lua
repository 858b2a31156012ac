#!lua flags=allow-oom
-- Nothing is taken from a paused queue; a resume wakes who waits.
-- KEYS r0  ARGV 1 '1' or '0'
--!include base
--!include write
if ARGV[1] == '1' then
  call('HSET', tag .. 'meta', 'paused', '1')
else
  call('HDEL', tag .. 'meta', 'paused')
  wake(tag)
end
return 1
