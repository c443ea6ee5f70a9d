-- Ends a lease, if the holder still has it.
-- KEYS[1] the lease; ARGV[1] the holder. Returns 1 when it was held, else 0.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
    return 0
end
return redis.call('DEL', KEYS[1])
