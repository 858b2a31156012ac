#!lua flags=no-writes
-- One page of what is ready, in the order in which it would be taken, or of suspects. A page begins at its anchor, the frame that was to be the first
-- of it, or behind the last one of the page before: others come and go at both ends meanwhile. Of each the head, all but the body, is known.
-- KEYS r0  ARGV 1 'ready' or 'suspect'  2 list to begin with  3 index where the anchor may stand; it is looked for there and below  4 head of the
--      first  5 head of the last one before; both '': the page begins at that index  6 most to look at for it  7 most frames  8 bytes, about
-- -> { the index where to look on } when no anchor was among them, below 0 when all were; or { list of the next page or -1, index and head of its
--      first, 0, frames }
--!include base
--!include look
local lists = ARGV[1] == 'ready' and { 'r0', 'r1', 'r2' } or { 'again' }
local start, at = tonumber(ARGV[2]), tonumber(ARGV[3])
local most, budget = tonumber(ARGV[7]), tonumber(ARGV[8])
if ARGV[4] ~= '' or ARGV[5] ~= '' then
  local list, bytes, found = lists[start + 1], 0, nil
  at = math.min(at, call('LLEN', tag .. list) - 1)
  local looked = look(list, at, -1, tonumber(ARGV[6]), budget, function(frame, index)
    local head = headOf(frame)
    bytes = bytes + #frame
    if head == ARGV[4] then found = index end
    if head == ARGV[5] then found = index + 1 end
    return found or bytes >= budget
  end)
  if not found then return { at - looked } end
  at = found
end

local frames, bytes, following = {}, 0, nil
for number = start, #lists - 1 do
  look(lists[number + 1], number == start and at or 0, 1, math.huge, budget, function(frame, index)
    if frame == '' then return false end
    if #frames == most or bytes >= budget then
      following = { number, index, headOf(frame) }
      return true
    end
    frames[#frames + 1] = frame
    bytes = bytes + #frame
    return false
  end)
  if following then break end
end
local reply = following and { following[1], following[2], following[3], 0 } or { -1, 0, '', 0 }
for _, frame in ipairs(frames) do reply[#reply + 1] = frame end
return reply
