-- What every script begins with, whatever its keys are: short names, the server's time, commands with many arguments.
local call, pack, unpack_, sub = redis.call, struct.pack, struct.unpack, string.sub

-- In whole milliseconds: those that have passed, and the first one to come, from which delays count so that none ends early.
local function time()
  local t = call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000), t[1] * 1000 + math.ceil(t[2] / 1000)
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
