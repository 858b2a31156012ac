#!lua flags=allow-oom
-- One trip of a consumer to one queue: renews its lease, applies what became of messages, promotes what is due, takes. It may run when memory is full:
-- that is how a full server is drained.
-- KEYS r0, then r0 of other queues that follow-ups go to
-- ARGV 1 incarnation  2 number  3 lease ms  4 most to take  5 '1': may take a suspect  6 bytes to take, about  7 most dead letters  8 their most ms
--      9 fields that are done, by spaces  10... five each: kind (done, retry, release, dead), field, ms or reason, new body or error, follow-ups
--      Follow-ups: 2 bytes number of the key, 4 bytes length of the records, records (write.lua), and again.
-- -> { 'OK', now, next time to ask or -1, '1' when there may be more and '1' when a suspect waits, dropped dead letters, a digit for each of 10..., lapsed incarnations, { frames } }
--    { 'FENCED' }: others have what it held.  { 'STALE' }: a later call was made. Nothing was changed then.
--!include base
--!include write
local incarnation, number, leaseMs, max, budget = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[6])
local leases, leased = tag .. 'leases', tag .. 'leased:' .. incarnation
local now, coming = time()
--!include number
call('ZADD', leases, now + leaseMs, incarnation)
call('HSET', leased, '#', number)

-- What is done, most of all.
local done = {}
for field in string.gmatch(ARGV[9], '%S+') do done[#done + 1] = field end
each('HDEL', leased, done)

-- What is more than done.
local function followUp(all)
  local at = 1
  while at <= #all do
    local key, length = unpack_('>I2I4', all, at)
    store(sub(KEYS[key], 1, -3), sub(all, at + 6, at + 5 + length), now, coming)
    at = at + 6 + length
  end
end
local results, returned, gone, dropped = {}, {}, {}, 0
local wakes = false
for i = 10, #ARGV, 5 do
  local kind, field, x, y = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local frame = call('HGET', leased, field)
  results[#results + 1] = frame and '1' or '0'
  if frame then
    followUp(ARGV[i + 4])
    local id, unique = idOf(frame), incarnation .. ':' .. field
    if kind == 'retry' then
      local again = frame
      if isFrame(frame) then
        local rest = y == '' and sub(frame, 15) or sub(frame, 15, 15 + #id) .. y
        again = pack('>I6', now) .. sub(frame, 7, 8) .. '\0\0' .. pack('>I4', (unpack_('>I4', frame, 11)) + 1) .. rest
      end
      if tonumber(x) > 0 then
        delay(tag, id, again, coming + x, unique)
      else
        call('RPUSH', tag .. 'r' .. bandOf(frame), again)
      end
      wakes = true
    elseif kind == 'release' then
      if tonumber(x) > 0 then
        delay(tag, id, stamped(frame, now), coming + x, unique)
      else
        local trip, index = string.match(field, '^(%d+)%.(%d+)$')
        returned[#returned + 1] = { trip = tonumber(trip), index = tonumber(index), frame = frame }
      end
      wakes = true
    elseif kind == 'dead' then
      local letter = pack('>I2I4', #x, #y) .. x .. y .. frame
      call('ZADD', tag .. 'dead', scored(tag .. 'dead', now), member(tag .. 'dead:b', id, letter, unique))
    end
    gone[#gone + 1] = field
  end
end
-- To the head, in the order in which they were taken: so the last one first.
table.sort(returned, function(a, b)
  if a.trip ~= b.trip then return a.trip > b.trip end
  return a.index > b.index
end)
for _, one in ipairs(returned) do
  call('LPUSH', lapsesOf(one.frame) >= SUSPECT_LAPSES and tag .. 'again' or tag .. 'r' .. bandOf(one.frame), one.frame)
end
each('HDEL', leased, gone)
--!include forget
if #ARGV >= 10 then dropped = forget(tonumber(ARGV[7]), now - ARGV[8]) end

-- What is due.
local more = false
if max > 0 then
  local most = math.min(2 * max + 64, MOST)
  local due = call('ZRANGEBYSCORE', tag .. 'delayed', '-inf', now + 1 - STEP, 'WITHSCORES', 'LIMIT', 0, most)
  if #due > 0 then
    local members, bands, suspects = {}, { {}, {}, {} }, {}
    for i = 1, #due, 2 do members[#members + 1] = due[i] end
    local frames = call('HMGET', tag .. 'delayed:b', unpack(members))
    for i, frame in ipairs(frames) do
      if frame then
        local list = lapsesOf(frame) >= SUSPECT_LAPSES and suspects or bands[bandOf(frame) + 1]
        list[#list + 1] = stamped(frame, tonumber(due[2 * i]))
      end
    end
    each('RPUSH', tag .. 'again', suspects)
    for band = 1, 3 do each('RPUSH', tag .. 'r' .. (band - 1), bands[band]) end
    call('ZREM', tag .. 'delayed', unpack(members))
    call('HDEL', tag .. 'delayed:b', unpack(members))
    if #members == most then more = true end
    wakes = true
  end
end

-- What it takes.
local taken, count, bytes, prefix = {}, 0, 0, number .. '.'
-- An empty one is a message that was taken out of the middle of the list.
local function hold(list, frames)
  local held, holes = {}, 0
  for i = 1, #frames do
    local frame = frames[i]
    if frame == '' then
      holes = holes + 1
    else
      held[#held + 1] = prefix .. count
      held[#held + 1] = frame
      count, bytes = count + 1, bytes + #frame
      taken[count] = frame
    end
  end
  each('HSET', leased, held)
  if holes > 0 then call('HINCRBY', tag .. 'meta', 'holes:' .. list, -holes) end
  call('LTRIM', tag .. list, #frames, -1)
end
if max > 0 and not call('HGET', tag .. 'meta', 'paused') then
  if ARGV[5] == '1' then
    local suspect = call('LRANGE', tag .. 'again', 0, 0)
    if suspect[1] then hold('again', suspect) end
    if suspect[1] == '' then more = true end
  end
  for band = 0, 2 do
    local list = 'r' .. band
    while count < max and bytes < budget do
      local piece = bytes == 0 and 8 or math.min(32, math.max(1, math.floor((budget - bytes) * count / bytes))) -- large ones may follow small ones
      local frames = call('LRANGE', tag .. list, 0, math.min(piece, max - count) - 1)
      if #frames == 0 then break end
      hold(list, frames)
    end
  end
  if count >= max or bytes >= budget then more = true end
end
if wakes then wake(tag) end

-- When to ask again, and whose lease is over.
local next, lapsed = earliest(tag), {}
local others = call('ZRANGE', leases, 0, 7, 'WITHSCORES')
for i = 1, #others, 2 do
  if others[i] ~= incarnation then
    local deadline = tonumber(others[i + 1])
    if deadline < now then
      lapsed[#lapsed + 1] = others[i]
    else
      if not next or deadline + 1 < next then next = deadline + 1 end
      break
    end
  end
end
-- It may take none now, and one waits.
local suspect = ARGV[5] == '0' and max > 0 and call('EXISTS', tag .. 'again') == 1
return { 'OK', now, next or -1, (more and '1' or '0') .. (suspect and '1' or '0'), dropped, table.concat(results), table.concat(lapsed, ' '), taken }
