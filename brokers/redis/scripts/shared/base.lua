-- What every script begins with: the keys of the queue, the server's time, the bytes of a frame (brokers/redis/frame.ts).
local call, pack, unpack_, sub = redis.call, struct.pack, struct.unpack, string.sub
local tag = sub(KEYS[1], 1, -3) -- the first key is the first ready list: all others of the queue have its hash tag
local SUSPECT_LAPSES = 2 -- the third delivery is that of a suspect

local function time()
  local t = call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
local function idOf(frame)
  return sub(frame, 16, 15 + string.byte(frame, 15))
end
local function bandOf(frame)
  return string.byte(frame, 8)
end
local function lapsesOf(frame)
  return (unpack_('>I2', frame, 9))
end
-- More arguments than this do not fit on Lua's stack.
local MOST = 4000
local function each(command, key, values)
  local length = 0
  for first = 1, #values, MOST do
    length = call(command, key, unpack(values, first, math.min(first + MOST - 1, #values)))
  end
  return length
end
