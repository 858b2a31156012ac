-- The frame in a dead letter, as a new one: attempt 0, no lapses, waiting since now. Nothing where somebody wrote what is no letter.
local function reborn(letter, now)
  if #letter < 6 then return nil end
  local reason, error = unpack_('>I2I4', letter)
  local frame = sub(letter, 7 + reason + error)
  if frame == '' then return nil end
  return isFrame(frame) and pack('>I6', now) .. sub(frame, 7, 8) .. '\0\0\0\0\0\0' .. sub(frame, 15) or frame
end
