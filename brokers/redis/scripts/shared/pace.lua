-- Paces: what goes on, or is planned, is marked in w, q and e. next: the first moment, now or later, at which one more is within the limit.
local TICKET_LEASE = 30000

local function slidingWindow(part, limit, window)
  return {
    span = window,
    next = function(letter, now)
      local first = call('LINDEX', part(letter), -limit)
      return first and math.max(now, first + window) or now
    end,
    mark = function(letter, at)
      if call('RPUSH', part(letter), at) > limit then call('LTRIM', part(letter), -limit, -1) end
    end,
    plan = function()
      call('COPY', part('w'), part('q'), 'REPLACE')
    end,
  }
end
local function inHash(part, pace)
  pace.plan = function()
    local went = call('HGET', part('l'), 'w')
    if went then call('HSET', part('l'), 'q', went) end
  end
  return pace
end
-- A mark is the number of a window, and how many are in it.
local function fixedWindow(part, limit, window)
  local function read(letter)
    local number, count = string.match(call('HGET', part('l'), letter) or '', '^(%S+) (%S+)$')
    return tonumber(number), tonumber(count)
  end
  return inHash(part, {
    span = window,
    next = function(letter, now)
      local number, count = read(letter)
      return number and math.max(now, (count < limit and number or number + 1) * window) or now
    end,
    mark = function(letter, at)
      local number, count = read(letter)
      local this = math.floor(at / window)
      call('HSET', part('l'), letter, string.format('%.0f %.0f', this, number == this and count + 1 or 1))
    end,
  })
end
-- A mark is when the bucket will be full again.
local function bucket(part, rate, per, burst)
  local function full(letter)
    return tonumber(call('HGET', part('l'), letter))
  end
  return inHash(part, {
    span = burst * per / rate,
    full = full,
    next = function(letter, now)
      local at = full(letter)
      return at and math.max(now, at - (burst - 1) * per / rate) or now
    end,
    mark = function(letter, at)
      call('HSET', part('l'), letter, math.max(at, full(letter) or at) + per / rate)
    end,
  })
end

-- Milliseconds until the turn of a ticket, and how long what is kept of the limit matters.
local function acquirePace(part, kind, pace, ticket, now)
  local places = part('p')
  call('ZREMRANGEBYSCORE', places, '-inf', now - TICKET_LEASE)
  local waits = call('ZCARD', places) > 0
  if not waits then endPlans(part, kind) end
  local function planIn(letter, earliest)
    local at = math.max(earliest, pace.next(letter, now))
    pace.mark(letter, at)
    return at
  end
  local free = pace.next('w', now)
  local place = waits and tonumber(call('ZSCORE', places, ticket))
  local at
  if place and now < place then
    at = place
  elseif place and free <= now then
    at = now
  elseif place then
    at = planIn('e', free) -- it came in time and somebody who was late has been faster
  elseif waits then
    at = planIn('q', free)
  else
    at = free
    if at > now then
      pace.plan()
      pace.mark('q', at)
    end
  end
  if at > now then
    call('ZADD', places, at, ticket)
  else
    if place then call('ZREM', places, ticket) end
    pace.mark('w', now)
  end
  local latest = call('ZRANGE', places, -1, -1, 'WITHSCORES')[2]
  local last = math.max(now, latest and tonumber(latest) or now, pace.full and pace.full('w') or now)
  return at > now and math.max(1, math.ceil(at - now)) or 0, last - now + pace.span + TICKET_LEASE
end
