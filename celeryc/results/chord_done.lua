-- Removes a chord whose body was sent, and leaves word of it for parts that return again.
-- KEYS: the claim, then what is removed; ARGV: the holder, seconds that word is left. Returns 1 when it was
-- the holder's, or was done already; else 0.
local holder = redis.call('GET', KEYS[1])
if holder == 'done' then
    return 1
end
if holder ~= ARGV[1] then
    return 0
end
redis.call('DEL', unpack(KEYS, 2))
redis.call('SET', KEYS[1], 'done', 'EX', ARGV[2])
return 1
