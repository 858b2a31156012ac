#!lua flags=no-writes,allow-oom,allow-stale
-- What its user may do: nothing is run and nothing is read.
-- KEYS any of the queue  ARGV commands with their arguments, each in one piece, parted by spaces  -> a digit each; '1': allowed
local answers = {}
for i, command in ipairs(ARGV) do
  local words = {}
  for word in string.gmatch(command, '%S+') do words[#words + 1] = word end
  answers[i] = redis.acl_check_cmd(unpack(words)) and '1' or '0'
end
return table.concat(answers)
