#!lua flags=allow-oom
-- Looks at a delayed or dead message, takes it away, or moves a delayed one.
-- KEYS r0  ARGV 1 'delayed' or 'dead'  2 member  3 'look', 'remove', 'move' or 'promote'  4... of a move: kind, ms, band, unique (move.lua)
-- -> { now, score, body } as it was, nothing when it is not there. What is due is not promoted: it is ready.
--!include base
--!include write
--!include move
local zset, bodies, name, action = tag .. ARGV[1], tag .. ARGV[1] .. ':b', ARGV[2], ARGV[3]
local now, coming = time()
local score, body = call('ZSCORE', zset, name), call('HGET', bodies, name)
if not score or not body then return {} end
local before = math.floor(tonumber(score))
local isReady = ARGV[1] == 'delayed' and before <= now
if action == 'look' or (action == 'promote' and isReady) then return { now, score, body } end

local due
if action == 'move' then
  local frame = inBand(body, ARGV[6])
  due = dueOf(before, ARGV[4], ARGV[5], now, coming)
  if due then
    call('HSET', bodies, name, frame)
    call('ZADD', zset, scored(zset, due), name)
  else
    put(frame, now)
  end
elseif action == 'promote' then
  put(body, now)
end
if not due then
  call('ZREM', zset, name)
  call('HDEL', bodies, name)
end
wake(tag)
return { now, score, body }
