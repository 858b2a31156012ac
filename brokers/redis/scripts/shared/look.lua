-- Reads a list from `at` on, upwards (step 1) or downwards (-1; `at` may count from the tail), in growing pieces of about so many bytes, until
-- `see(frame, index)` says true, `most` were read or the list ends. Says how many it read, those of which `see` is told.
local function look(list, at, step, most, budget, see)
  local seen, bytes = 0, 0
  while seen < most do
    -- Nothing tells how long an element is before it is read: so many small ones are no promise for the next.
    local piece = math.min(1 + 4 * seen, 250, most - seen)
    if bytes > 0 then piece = math.max(1, math.min(piece, math.floor((budget - bytes) * seen / bytes))) end
    local first = at + step * seen
    local last = first + step * (piece - 1)
    if at >= 0 then last = math.max(last, 0) end
    if at >= 0 and first < 0 then break end
    local low, high = math.min(first, last), math.max(first, last)
    local frames = call('LRANGE', tag .. list, low, high)
    local from, to = 1, #frames
    if step < 0 then from, to = to, from end
    for i = from, to, step do
      seen, bytes = seen + 1, bytes + #frames[i]
      if see(frames[i], step > 0 and low + i - 1 or high - #frames + i) then return seen end
    end
    if #frames <= high - low then break end
  end
  return seen
end
-- What tells one frame from another: all but its body.
local function headOf(frame)
  return sub(frame, 1, 15 + (string.byte(frame, 15) or 0))
end
