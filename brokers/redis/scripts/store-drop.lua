#!lua flags=allow-oom
-- Deletes values, also when memory is full.
-- KEYS 1 token  2... values  ARGV 1 number  2... two a value: '1': only if it is the next, what it must be
-- -> a digit a value: '1' where one was deleted; false when a later call was made on this token
--!include common
--!include token
local done = {}
for i = 2, #KEYS do
  local at = 2 * i - 2
  local drops = ARGV[at] ~= '1' or call('GET', KEYS[i]) == ARGV[at + 1]
  done[i - 1] = drops and call('UNLINK', KEYS[i]) or 0
end
return answer(table.concat(done))
