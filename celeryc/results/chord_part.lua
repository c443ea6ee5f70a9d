-- One part of a chord has ended: notes its result, and tells whether the body is to be sent by the caller.
-- C and Python workers work on the same chords, so keys and values are Celery's (celery/backends/redis.py 5.7
-- on_chord_part_return), but for two things. To repeat the call, after a connection broke, claims no less. And the
-- first part of a frozen chord that is applied anew counts, though Celery's client publishes it before it takes
-- back that the body was sent; in Celery it is dropped, and where it is so quick its chord never ends.
-- KEYS: the results (.j), how many tasks were added (.t), how many there were (.s), who has returned (.d), the
-- header's own result, who may send the body (.c).
-- ARGV: task id, its result, place in the header, seconds that the chord lives (0: for ever), seconds that the
-- header's result lives (0: as it is), seconds that a claim lives, the claim, '1' where its message came again.
-- Returns {results so far, added, size, 1 when claimed}; {-1} when the body was sent before.
local results, added_key, size_key, returned, header, claim = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local done = redis.call('GET', claim) == 'done'
if done and ARGV[8] == '1' then -- it is of the run whose body was sent
    return {-1, false, false, 0}
end
-- A task of two places in the header returns twice.
local part = ARGV[1] .. ':' .. ARGV[3]
if redis.call('SADD', returned, part) == 1 then
    redis.call('ZADD', results, ARGV[3], ARGV[2])
end
local count = redis.call('ZCARD', results)
if tonumber(ARGV[4]) > 0 then
    for _, key in ipairs({results, added_key, size_key, returned}) do
        redis.call('EXPIRE', key, ARGV[4])
    end
    if tonumber(ARGV[5]) > 0 then
        redis.call('EXPIRE', header, ARGV[5])
    end
end
if done then
    return {-1, false, false, 0}
end
local added, size, claimed = redis.call('GET', added_key), redis.call('GET', size_key), 0
if size and count == tonumber(size) + tonumber(added or 0) then
    if redis.call('SET', claim, ARGV[7], 'NX', 'EX', ARGV[6]) or redis.call('GET', claim) == ARGV[7] then
        claimed = 1
    end
end
return {count, added, size, claimed}
