-- Takes a lease, or prolongs it: for its holder the two are one, so that both may be repeated, and a lease
-- that ran out while Redis was away is taken again where nobody else took it.
-- KEYS[1] the lease; ARGV[1] the holder; ARGV[2] milliseconds to live.
-- Returns 1 when held, 0 when another has it.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
    return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
