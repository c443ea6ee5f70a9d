#include "celeryc/canvas/canvas.h"
#include "celeryc/include/celeryc/canvas.h"
#include "tests/unit/unit.h"

#include <string.h>

static json_t *add(int number)
{
    return celery_s("demo.add", "[i]", number);
}

static size_t count(json_t *canvas)
{
    return json_array_size(signature_tasks(canvas));
}

static void chains_in_chains_are_spliced(void)
{
    json_t *chain = celery_chain(add(1), celery_chain(add(2), add(3), NULL), NULL);
    CU_ASSERT_EQUAL(signature_kind(chain), SIGNATURE_CHAIN);
    CU_ASSERT_EQUAL(count(chain), 3);
    json_decref(chain);
}

static void a_group_before_a_task_is_the_header_of_a_chord(void)
{
    json_t *chain = celery_chain(add(0), celery_group(add(1), add(2), NULL), add(3), NULL);
    json_t *chord = json_array_get(signature_tasks(chain), 1);
    CU_ASSERT_EQUAL(count(chain), 2);
    CU_ASSERT_EQUAL(signature_kind(chord), SIGNATURE_CHORD);
    CU_ASSERT_EQUAL(count(chord), 2);
    CU_ASSERT_PTR_NOT_NULL(signature_body(chord));
    json_decref(chain);
}

static void chunks_are_a_group_of_starmaps(void)
{
    json_t *items = json_pack("[[i, i], [i, i], [i, i]]", 1, 1, 2, 2, 3, 3);
    json_t *chunks = celery_chunks(celery_s("demo.add", NULL), items, 2);
    json_t *last = json_array_get(signature_tasks(chunks), 1);
    CU_ASSERT_EQUAL(count(chunks), 2);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(last, "task")), "celery.starmap");
    CU_ASSERT_EQUAL(json_array_size(json_object_get(signature_kwargs(last), "it")), 1);
    json_decref(chunks);
}

static void what_is_made_of_nothing_is_nothing(void)
{
    CU_ASSERT_PTR_NULL(celery_s("demo.add", "{s:i}", "x", 1));
    CU_ASSERT_PTR_NULL(celery_signature("demo.add", json_object(), NULL));
    CU_ASSERT_PTR_NULL(celery_link(NULL, add(1)));
    CU_ASSERT_PTR_NULL(celery_link_error(add(1), NULL));
    CU_ASSERT_PTR_NULL(celery_chord(celery_group(add(1), NULL), NULL));
    CU_ASSERT_PTR_NULL(celery_group_of(json_pack("[i]", 1)));
    CU_ASSERT_PTR_NULL(celery_chunks(add(1), json_array(), 0));
    CU_ASSERT_PTR_NULL(celery_clone(NULL));
}

static void the_size_of_a_chord_is_known_before_its_last_part_is_sent(void)
{
    struct canvas canvas;
    canvas_init(&canvas);
    canvas.origin = "test";
    json_t *chord = celery_chord(celery_group(add(1), add(2), NULL), celery_s("demo.sum", NULL));
    json_t *result = canvas_apply(&canvas, chord, NULL, NULL, NULL);
    CU_ASSERT_PTR_NOT_NULL(result);
    CU_ASSERT_EQUAL_FATAL(canvas.count, 3);
    CU_ASSERT_EQUAL(canvas.steps[0].kind, CANVAS_SEND);
    CU_ASSERT_EQUAL(canvas.steps[1].kind, CANVAS_CHORD_SIZE);
    CU_ASSERT_EQUAL(canvas.steps[1].size, 2);
    CU_ASSERT_EQUAL(canvas.steps[2].kind, CANVAS_SEND);
    json_decref(result);
    json_decref(chord);
    canvas_clear(&canvas);
}

static void a_canvas_is_known_as_a_signature_and_other_values_are_not(void)
{
    static const char *const texts[] = {
        "null",
        "[]",
        "{}",
        "{\"task\": 1}",
        "{\"task\": \"celery.chain\", \"subtask_type\": \"chain\"}",
        "{\"task\": \"celery.group\", \"subtask_type\": \"group\", \"kwargs\": {\"tasks\": [{\"task\": "
        "\"a\"}, 1]}}",
        "{\"task\": \"celery.chord\", \"subtask_type\": \"chord\", \"kwargs\": {\"header\": [{\"task\": "
        "\"a\"}]}}",
        "{\"task\": \"celery.chord\", \"subtask_type\": \"chord\", \"kwargs\": {\"header\": 1, \"body\": "
        "{\"task\": \"a\"}}}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        json_t *value = json_loads(texts[i], JSON_DECODE_ANY, NULL);
        CU_ASSERT_PTR_NOT_NULL(value);
        CU_ASSERT_FALSE(celery_is_signature(value));
        json_decref(value);
    }
    CU_ASSERT_FALSE(celery_is_signature(NULL));
    json_t *group = celery_group(add(1), celery_chain(add(2), add(3), NULL), NULL);
    json_t *chord = celery_chord(group, celery_chord(json_pack("[o]", add(4)), add(5)));
    CU_ASSERT_TRUE(celery_is_signature(chord));
    json_decref(chord);
}

static void what_is_nested_too_deeply_is_no_signature(void)
{
    json_t *nested = add(1);
    for (int i = 0; i < 150; i++)
        nested = signature_new_chain(json_pack("[o]", nested));
    CU_ASSERT_TRUE(celery_is_signature(nested));
    for (int i = 0; i < 100; i++)
        nested = signature_new_chain(json_pack("[o]", nested));
    CU_ASSERT_FALSE(celery_is_signature(nested));
    json_decref(nested);
}

/* What comes in messages may be anything. */
static void signatures_that_are_none_are_refused(void)
{
    static const char *const texts[] = {
        "{}",
        "{\"task\": 1, \"args\": 7, \"kwargs\": [], \"options\": null}",
        "{\"subtask_type\": \"chord\"}",
        "{\"subtask_type\": \"chord\", \"kwargs\": {\"header\": {}, \"body\": {}}}",
        "{\"subtask_type\": \"chain\", \"kwargs\": {\"tasks\": [1, {\"subtask_type\": \"group\"}, []]}}",
        "{\"subtask_type\": \"group\", \"kwargs\": {\"tasks\": [null, {\"subtask_type\": \"chord\"}]}}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct canvas canvas;
        canvas_init(&canvas);
        json_t *signature = json_loads(texts[i], 0, NULL);
        json_decref(canvas_apply(&canvas, signature, NULL, NULL, NULL));
        CU_ASSERT(canvas.failed);
        json_decref(signature);
        canvas_clear(&canvas);
    }
}

UNIT_MAIN("canvases", {"chains in chains are spliced", chains_in_chains_are_spliced},
          {"a group before a task is the header of a chord", a_group_before_a_task_is_the_header_of_a_chord},
          {"chunks are a group of starmaps", chunks_are_a_group_of_starmaps},
          {"what is made of nothing is nothing", what_is_made_of_nothing_is_nothing},
          {"the size of a chord is known before its last part is sent",
           the_size_of_a_chord_is_known_before_its_last_part_is_sent},
          {"a canvas is known as a signature, and other values are not",
           a_canvas_is_known_as_a_signature_and_other_values_are_not},
          {"what is nested too deeply is no signature", what_is_nested_too_deeply_is_no_signature},
          {"signatures that are none are refused", signatures_that_are_none_are_refused})
