-- Where messages go. The destination is written before the source: a script that is cut short leaves one twice, and none nowhere.

-- Two messages may have one id: the second one's member has something unique behind a space, which no id contains.
local function member(bodies, id, frame, unique)
  if call('HSETNX', bodies, id, frame) == 1 then return id end
  local other = id .. ' ' .. unique
  call('HSET', bodies, other, frame)
  return other
end
-- What has one millisecond keeps the order in which it came, up to 1,024 of them: a score is the time and a fraction. A double has room for it until
-- the year 2248. Whoever looks for what is due looks up to the last fraction of now.
local STEP = 1 / 1024
local function scored(key, ms)
  ms = math.ceil(ms)
  local last = call('ZREVRANGEBYSCORE', key, ms + 1 - STEP, ms, 'WITHSCORES', 'LIMIT', 0, 1)[2]
  return last and math.min(last + STEP, ms + 1 - STEP) or ms
end
local function delay(queue, id, frame, due, unique)
  call('ZADD', queue .. 'delayed', scored(queue .. 'delayed', due), member(queue .. 'delayed:b', id, frame, unique))
end
local function wake(queue)
  call('SPUBLISH', queue .. 'wake', '')
end
local function earliest(queue)
  local first = call('ZRANGE', queue .. 'delayed', 0, 0, 'WITHSCORES')
  return first[2] and math.floor(tonumber(first[2]))
end

-- Stores records in a queue, and says '' when all were stored, otherwise '1' or '0' (a duplicate) for each. A record is
--   4 bytes length of the frame, 1 byte kind (0: ready; 1: after ms; 2: at ms; 4 more: once), 6 bytes ms and 6 bytes once in ms if it is not 0, the frame
local function store(queue, blob, now, coming)
  local stamp, bands, verdicts, onces, remembered = pack('>I6', now), { {}, {}, {} }, {}, {}, {}
  local remembers = call('EXISTS', queue .. 'onces') == 1 -- else no message pays for it
  local at, size, duplicates, soonest = 1, #blob, 0, nil
  while at <= size do
    local length, kind = unpack_('>I4B', blob, at)
    at = at + 5
    if kind == 0 and not remembers then
      local band = bands[string.byte(blob, at + 7) + 1]
      band[#band + 1] = stamp .. sub(blob, at + 6, at + length - 1)
      verdicts[#verdicts + 1] = '1'
    else
      local ms, onceMs = 0, 0
      if kind > 0 then
        ms, onceMs = unpack_('>I6I6', blob, at)
        at = at + 12
      end
      local frame = stamp .. sub(blob, at + 6, at + length - 1)
      local id = idOf(frame)
      local due = kind % 4 == 1 and coming + ms or ms
      local key = queue .. 'once:' .. id
      local stored = not remembered[id] and not (remembers and call('EXISTS', key) == 1)
      if stored then
        if due > now then
          stored = call('HSETNX', queue .. 'delayed:b', id, frame) == 1 -- the same id waits already
          if stored then
            if not soonest or due < soonest then soonest = due end
            call('ZADD', queue .. 'delayed', scored(queue .. 'delayed', due), id)
          end
        else
          local band = bands[bandOf(frame) + 1]
          band[#band + 1] = frame
        end
      end
      if stored and onceMs > 0 then
        remembers, remembered[id] = true, true
        onces[#onces + 1] = { key, onceMs }
      end
      if not stored then duplicates = duplicates + 1 end
      verdicts[#verdicts + 1] = stored and '1' or '0'
    end
    at = at + length
  end
  local wakes = soonest and soonest == earliest(queue)
  for band = 1, 3 do
    local frames = bands[band]
    if #frames > 0 and each('RPUSH', queue .. 'r' .. (band - 1), frames) == #frames then wakes = true end
  end
  local longest = 0
  for _, once in ipairs(onces) do
    call('SET', once[1], '1', 'PX', once[2] + 1)
    longest = math.max(longest, once[2] + 1)
  end
  if longest > 0 and call('PTTL', queue .. 'onces') < longest then call('SET', queue .. 'onces', '1', 'PX', longest) end
  if wakes then wake(queue) end
  return duplicates == 0 and '' or table.concat(verdicts)
end
