-- Prolongs the claim to send a chord's body, or takes it again where it ran out and nobody else has it.
-- KEYS: the claim, the chord's size; ARGV: the holder, seconds. Returns 1 when held, else 0.
local holder = redis.call('GET', KEYS[1])
if holder == ARGV[1] or (not holder and redis.call('EXISTS', KEYS[2]) == 1) then
    redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
    return 1
end
return 0
