-- Stores a task's state and tells who waits for it, unless the task has succeeded already: what succeeded
-- once stays so, whatever a duplicate delivery or a lost worker's parent says later (celery/backends/base.py
-- _store_result; there it is a read followed by a write, here nothing comes between).
-- KEYS[1] the key, which is also the channel; ARGV[1] the text; ARGV[2] seconds to live, 0 for ever;
-- ARGV[3] '1': only while the task waits (a revoke from outside; celery/worker/control.py _revoke).
-- Returns 1 when stored, 0 when kept.
local succeeded = '{"status": "SUCCESS"'
local any = '{"status": "'
-- Celery and celeryc write the status first, so that its first bytes tell; only foreign text is parsed.
local head = redis.call('GETRANGE', KEYS[1], 0, #succeeded - 1)
if head == succeeded then
    return 0
end
if head ~= '' and string.sub(head, 1, #any) ~= any then
    local readable, meta = pcall(cjson.decode, redis.call('GET', KEYS[1]))
    if readable and type(meta) == 'table' and meta['status'] == 'SUCCESS' then
        return 0
    end
end
if head ~= '' and ARGV[3] == '1' then
    local readable, meta = pcall(cjson.decode, redis.call('GET', KEYS[1]))
    local waits = { PENDING = true, RECEIVED = true, RETRY = true, REJECTED = true }
    if not readable or type(meta) ~= 'table' or not waits[meta['status']] then
        return 0
    end
end
if tonumber(ARGV[2]) > 0 then
    redis.call('SETEX', KEYS[1], ARGV[2], ARGV[1])
else
    redis.call('SET', KEYS[1], ARGV[1])
end
redis.call('PUBLISH', KEYS[1], ARGV[1])
return 1
