#!lua
-- A dead letter of a queue on another node of a Cluster becomes ready here; whoever calls deletes it there afterwards, and calls both again when it was
-- cut short between. Its guard, which is its name and its time of death, stores it once.
-- KEYS r0  ARGV 1 guard  2 letter  -> 1 when it is or was here, 0 when it is no letter
--!include base
--!include write
--!include letter
local guard, frame = tag .. 'tok:' .. ARGV[1], reborn(ARGV[2], time())
if not frame then return 0 end
if call('EXISTS', guard) == 1 then return 1 end
call('RPUSH', tag .. 'r' .. bandOf(frame), frame)
call('SET', guard, '', 'PX', 86400000)
wake(tag)
return 1
