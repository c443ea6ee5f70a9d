/* What a publisher keeps while there is no broker. */
#include "celeryc/amqp/publisher_state.h"
#include "tests/unit/unit.h"

static size_t declarations(struct publisher *publisher)
{
    size_t count = 0;
    pthread_mutex_lock(&publisher->mutex);
    for (const struct declaration *each = publisher->declarations; each != NULL; each = each->next)
        count++;
    pthread_mutex_unlock(&publisher->mutex);
    return count;
}

static void what_is_declared_again_is_kept_once(void)
{
    const struct publisher_options options = {.broker = {.urls = "amqp://127.0.0.1:1/",
                                                         .purpose = "test",
                                                         .connect_timeout = 1,
                                                         .retry_first = 60,
                                                         .retry_most = 60}};
    struct publisher *publisher = publisher_new(&options, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(publisher);
    struct queue_spec spec = {
        .name = "q", .durable = true, .arguments = json_pack("{s:i}", "x-max-priority", 5)};
    for (int i = 0; i < 10; i++)
        publisher_declare(publisher, &spec);
    CU_ASSERT_EQUAL(declarations(publisher), 1);
    json_object_set_new(spec.arguments, "x-max-priority", json_integer(6));
    publisher_declare(publisher, &spec);
    spec.exchange = "other";
    publisher_declare(publisher, &spec);
    CU_ASSERT_EQUAL(declarations(publisher), 3);
    json_decref(spec.arguments);
    publisher_free(publisher, 0);
}

UNIT_MAIN("publisher", {"what is declared again is kept once", what_is_declared_again_is_kept_once})
