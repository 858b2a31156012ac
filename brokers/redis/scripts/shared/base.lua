-- What the scripts of queues begin with: the keys of the queue, the bytes of a frame (brokers/redis/frame.ts).
--!include common
local tag = sub(KEYS[1], 1, -3) -- the first key is the first ready list: all others of the queue have its hash tag
local SUSPECT_LAPSES = 2 -- the third delivery is that of a suspect

-- Anybody who may write to the server may have put something else into a list: it has an id made of its bytes, and is left as it is.
local function isFrame(frame)
  local length = string.byte(frame, 15)
  return length and length > 0 and #frame >= 15 + length and string.byte(frame, 7) == 1 and string.byte(frame, 8) < 3
end
local function idOf(frame)
  return isFrame(frame) and sub(frame, 16, 15 + string.byte(frame, 15)) or 'raw-' .. redis.sha1hex(frame)
end
local function bandOf(frame)
  return isFrame(frame) and string.byte(frame, 8) or 1
end
local function lapsesOf(frame)
  return isFrame(frame) and unpack_('>I2', frame, 9) or 0
end
local function stamped(frame, ms)
  return isFrame(frame) and pack('>I6', ms) .. sub(frame, 7) or frame
end
