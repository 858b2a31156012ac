#!lua
-- Sets values.
-- KEYS 1 token  2... values  ARGV 1 number  2... three a value: the value, its ms, '1': only if there is none
-- -> a digit a value: '1' where it was set; false when a later call was made on this token
--!include common
--!include token
local done = {}
for i = 2, #KEYS do
  local at = 3 * i - 4
  local set = ARGV[at + 2] == '1' and call('SET', KEYS[i], ARGV[at], 'PX', ARGV[at + 1], 'NX') or
    ARGV[at + 2] ~= '1' and call('SET', KEYS[i], ARGV[at], 'PX', ARGV[at + 1])
  done[i - 1] = set and '1' or '0'
end
return answer(table.concat(done))
