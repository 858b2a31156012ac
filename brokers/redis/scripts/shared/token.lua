-- A call that is made again, as its answer was lost, does nothing and answers the same; one that comes after a later call was made does nothing and
-- answers false. Each store has a few tokens, keys that are used by one call at a time, and numbers its calls. The token is set last, with the answer,
-- a string: a call that is refused in the middle must not be taken for one that was done.
-- KEYS[1] token  ARGV[1] number
do
  local last = call('GET', KEYS[1])
  if last then
    local space = string.find(last, ' ', 1, true)
    local seen, number = tonumber(sub(last, 1, space - 1)), tonumber(ARGV[1])
    if seen == number then return sub(last, space + 1) end
    if seen > number then return false end
  end
end
local function answer(text)
  call('SET', KEYS[1], ARGV[1] .. ' ' .. text, 'PX', 600000)
  return text
end
