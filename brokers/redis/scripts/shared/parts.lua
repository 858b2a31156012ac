-- A set and a limit have several keys, told apart by the word behind the hash tag: `{namespace:s:1f}:<word>:<name>`. The first one is given.
local function partsOf(key)
  local open = string.find(key, '}:', 1, true) + 1
  local name = sub(key, (string.find(key, ':', open + 1, true)))
  return function(word)
    return sub(key, 1, open) .. word .. name
  end
end
