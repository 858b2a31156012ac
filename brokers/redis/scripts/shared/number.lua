-- A consumer numbers its calls: the first one joins, a number that was seen or passed has no effect, and without the row others have what it held.
do
  local seen = call('HGET', leased, '#')
  if number == 1 then
    if seen then return { 'STALE' } end
  elseif not seen or seen == 'x' then
    return { 'FENCED' }
  elseif number <= tonumber(seen) then
    return { 'STALE' }
  end
end
