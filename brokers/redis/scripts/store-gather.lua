#!lua
-- Adds members to sets that close once. It may be called again: a member counts once, and the closer is the closer again.
-- KEYS sets, one a member; with them go `gv`, hashes: `=` and a member: its value; `closer`
-- ARGV four a member: the member, the size of the set, its ms, the value behind '=' or ''
-- -> two numbers a member: how many are there, 1 where it is the closer
--!include common
--!include parts
local done = {}
for i = 1, #KEYS do
  local set, at = KEYS[i], 4 * i - 3
  local values = partsOf(set)('gv')
  local member, value = ARGV[at], ARGV[at + 3]
  local isNew = call('ZADD', set, 0, member) == 1
  local count = call('ZCARD', set)
  if isNew and count == 1 then call('UNLINK', values) end -- of a set before that lost its other key
  if value ~= '' then call('HSET', values, '=' .. member, sub(value, 2)) end
  if isNew and count >= tonumber(ARGV[at + 1]) then call('HSETNX', values, 'closer', member) end
  call('PEXPIRE', set, ARGV[at + 2])
  call('PEXPIRE', values, ARGV[at + 2])
  done[2 * i - 1] = count
  done[2 * i] = call('HGET', values, 'closer') == member and 1 or 0
end
return done
