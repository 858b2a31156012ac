-- To where it waits from now on: behind what is ready, in the order of its band. A suspect stays one.
local function put(frame, since)
  call('RPUSH', lapsesOf(frame) >= SUSPECT_LAPSES and tag .. 'again' or tag .. 'r' .. bandOf(frame), stamped(frame, since))
end
-- When it is due after a move, nil when at once. kind '': as before; 'after': ms from now; 'at': ms
local function dueOf(before, kind, ms, now, coming)
  local due = before
  if kind == 'after' then due = coming + ms end
  if kind == 'at' then due = tonumber(ms) end
  return due and math.ceil(due) > now and due or nil
end
local function inBand(frame, band)
  return band ~= '' and isFrame(frame) and sub(frame, 1, 7) .. string.char(band) .. sub(frame, 9) or frame
end
