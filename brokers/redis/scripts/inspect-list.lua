#!lua flags=allow-oom
-- Looks for a message in a piece of a list, from its tail to its head: what is taken meanwhile moves nothing that is still to be looked at.
-- KEYS r0  ARGV 1 list  2 how many behind it were looked at  3 most to look at  4 bytes, about  5 id  6 'look', 'remove' or 'move'
--      7... of a move: kind, ms, band, unique (move.lua)
-- -> { how many were looked at, length of the list, the frame when it was found }
--!include base
--!include write
--!include look
--!include move
local list, budget, bytes, found, place = ARGV[1], tonumber(ARGV[4]), 0, nil, nil
local looked = look(list, -1 - ARGV[2], -1, tonumber(ARGV[3]), budget, function(frame, index)
  if frame ~= '' and idOf(frame) == ARGV[5] then found, place = frame, index end
  bytes = bytes + #frame
  return found or bytes >= budget
end)
local length = call('LLEN', tag .. list)
if not found then return { looked, length } end

if ARGV[6] == 'move' then
  local now, coming = time()
  local due, frame = dueOf(nil, ARGV[7], ARGV[8], now, coming), inBand(found, ARGV[9])
  if due then delay(tag, ARGV[5], frame, due, ARGV[10]) else put(frame, now) end
  wake(tag)
end
if ARGV[6] ~= 'look' then
  -- Near an end it is taken out. From the middle of a million that takes LREM 20 to 100 ms: there a hole is left, which a take drops.
  local NEAR, ahead = 2000, length + place
  if ahead < NEAR then
    call('LREM', tag .. list, 1, found)
  elseif -place <= NEAR then
    call('LREM', tag .. list, -1, found)
  else
    call('HINCRBY', tag .. 'meta', 'holes:' .. list, 1)
    call('LSET', tag .. list, ahead, '')
  end
end
return { looked, length, found }
