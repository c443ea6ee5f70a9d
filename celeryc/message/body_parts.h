/* A task's body taken apart into slices of its text: [args, kwargs, embed] of protocol 2, or the object of
 * protocol 1. Internal to this room; task_message.h is what others use. Pure. */
#ifndef CELERYC_MESSAGE_BODY_PARTS_H
#define CELERYC_MESSAGE_BODY_PARTS_H

#include "celeryc/message/task_message.h"

enum { BODY_SIZE_MOST = 256 * 1024 * 1024 }; /* after decompression, where nothing smaller is asked for */

/* Slices are of `text`, or of the wire message's body where nothing had to be decompressed. Null is absent
 * (but for args and kwargs). */
struct body_parts {
    struct text_slice args, kwargs;
    struct text_slice callbacks, errbacks, chain, chord;
    bool is_triple; /* the body is an array */
    json_t *fields; /* when asked for: what an object's members hold, those left out that Jansson cannot hold;
                       owned */
    char *text;     /* owned; NULL where the wire message's body is used */
    size_t text_size;
};

/* MESSAGE_NOT_ACCEPTED, MESSAGE_UNDECODABLE and MESSAGE_INVALID (empty, or no task's body) with the sentence
 * in `error`. `fields`: whether an object's members are decoded too. `limit` 0: BODY_SIZE_MOST. */
enum message_fault body_parts_read(const struct wire_message *wire, size_t limit, bool fields,
                                   struct body_parts *parts, struct error *error);
void body_parts_clear(struct body_parts *parts);

bool body_type_is_json(const struct wire_message *wire);
/* Types that kombu accepts always, and decodes to text: no task has such a body. */
bool body_type_is_trusted(const struct wire_message *wire);
/* No compression, or one that we undo. */
bool body_compression_is_known(const struct wire_message *wire);

#endif
