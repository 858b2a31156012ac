-- A limit is a few keys, which end together. They keep what lib/limits.ts keeps, so that what it says of them is true here; a call costs the logarithm
-- of how many wait.
--   l  hash: kind; of slots m, the mean of how long they are held, n, the number of the last who came, `=` and a ticket: when it got its slot;
--      of a bucket and a fixed window w, q and e, as below
--   p  zset of tickets that wait: by the time of their turn; for a slot by the number of their coming
--   w  list, of a sliding window only: the last times when one went on
--   q  the same of what is planned for newcomers. None while nobody waits: it is w then
--   e  the same for those who came at their time and found it taken. None while nobody waits
--   u  zset, of slots only: tickets that wait, by when they must ask again
--   h  zset, of slots only: tickets that hold one, by when their leases end
--!include parts
local function endLimit(part)
  call('UNLINK', part('l'), part('p'), part('w'), part('q'), part('e'), part('u'), part('h'))
end
local function endPlans(part, kind)
  if kind == 'sliding' then
    call('UNLINK', part('q'), part('e'))
  else
    call('HDEL', part('l'), 'q', 'e')
  end
end
