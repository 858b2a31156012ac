#!lua
-- Appends to topics, and wakes those who wait: the channel of a topic is called as its key.
-- KEYS 1 token  2... topics  ARGV 1 number  2 most entries that a topic keeps  3... three an entry: number of its key, its ms, its value
-- -> ''; false when a later call was made on this token
--!include common
--!include token
--!include topic
local topics = {}
local now, coming = time()
for i = 3, #ARGV, 3 do
  local key = KEYS[tonumber(ARGV[i])]
  local topic = topics[key]
  if not topic then
    topic = { frames = {}, last = lastOf(key), ends = 0 }
    topics[key] = topic
  end
  local ends = coming + ARGV[i + 1]
  topic.last = topic.last + 1
  topic.ends = math.max(topic.ends, ends)
  topic.frames[#topic.frames + 1] = pack('>I8I6', topic.last, ends) .. ARGV[i + 2]
end
for i = 2, #KEYS do
  local key, topic = KEYS[i], topics[KEYS[i]]
  local length = each('RPUSH', key, topic.frames)
  if length == #topic.frames then
    call('PEXPIREAT', key, topic.ends)
  else
    call('PEXPIREAT', key, topic.ends, 'GT')
    forget(key, length, tonumber(ARGV[2]), now, 2 * #topic.frames + 64)
  end
  call('SPUBLISH', key, '')
end
return answer('')
