/* celery_args(): binds args and kwargs to a task's parameters as Python binds a call, with Python's own words
 * where that fails. Source: CPython 3.11, Python/ceval.c initialize_locals, too_many_positional,
 * missing_arguments. */
#include "celeryc/worker/task_context.h"

#include "common/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PARAMETERS_MOST 32

struct parameter {
    const char *name;
    size_t length;
    char kind;       /* I d s b o */
    void *to;        /* where the value goes */
    json_t *initial; /* default, borrowed from task->defaults; NULL none */
    json_t *value;   /* borrowed; NULL not given */
};

struct binding {
    struct celery_task *task;
    const char *function;
    struct parameter parameters[PARAMETERS_MOST];
    size_t count;          /* positional ones first, then keyword-only ones */
    size_t positional;     /* how many of them may be given by position */
    json_t **rest, **more; /* of *args and **kwargs; NULL where the format has none */
    bool keyword_only;     /* *args has been seen */
};

/* ---- the format ---- */

/* Keeps a new value for as long as the task runs. NULL when memory is out. */
static json_t *keep(struct celery_task *task, json_t *value)
{
    if (task->defaults == NULL)
        task->defaults = json_array();
    if (value == NULL || task->defaults == NULL || json_array_append_new(task->defaults, value) != 0)
        return NULL;
    return value;
}

static const char *read_initial(struct binding *binding, const char *at, struct parameter *parameter)
{
    json_error_t problem;
    json_t *value = json_loads(at, JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK, &problem);
    parameter->initial = keep(binding->task, value);
    return parameter->initial == NULL ? NULL : at + problem.position;
}

/* One "name:K", "name:K=VALUE", "*name:A" or "**name:K"; gives where it ends, NULL where it is malformed. */
static const char *read_parameter(struct binding *binding, const char *at, va_list *to)
{
    size_t stars = strspn(at, "*");
    const char *name = at + stars;
    size_t length = strcspn(name, ": ");
    if (length == 0 || name[length] != ':' || stars > 2)
        return NULL;
    char kind = name[length + 1];
    at = name + length + 2;
    if (stars > 0) {
        json_t ***rest = stars == 1 ? &binding->rest : &binding->more;
        if (kind != (stars == 1 ? 'A' : 'K') || *rest != NULL)
            return NULL;
        *rest = va_arg(*to, json_t **);
        binding->keyword_only = true;
        return at;
    }
    if (strchr("Idsbo", kind) == NULL || kind == '\0' || binding->count == PARAMETERS_MOST ||
        binding->more != NULL)
        return NULL;
    struct parameter *parameter = &binding->parameters[binding->count++];
    *parameter = (struct parameter){.name = name, .length = length, .kind = kind, .to = va_arg(*to, void *)};
    if (*at == '=')
        at = read_initial(binding, at + 1, parameter);
    if (!binding->keyword_only) {
        bool after_default = binding->positional > 0 && parameter[-1].initial != NULL;
        binding->positional++;
        if (after_default && parameter->initial == NULL)
            return NULL;
    }
    return at;
}

static bool read_format(struct binding *binding, const char *format, va_list *to)
{
    const char *at = format;
    while (at != NULL && *at != '\0') {
        if (*at == ' ')
            at++;
        else
            at = read_parameter(binding, at, to);
    }
    if (at == NULL)
        celery_fail(binding->task, "SystemError", "%s() has a malformed list of parameters: %s",
                    binding->function, format);
    return at != NULL;
}

/* ---- binding ---- */

static bool is_named(const struct parameter *parameter, const char *name)
{
    return strncmp(parameter->name, name, parameter->length) == 0 && name[parameter->length] == '\0';
}

static struct parameter *find(struct binding *binding, const char *name)
{
    for (size_t i = 0; i < binding->count; i++) {
        if (is_named(&binding->parameters[i], name))
            return &binding->parameters[i];
    }
    return NULL;
}

static bool bind_keywords(struct binding *binding, json_t *kwargs, json_t *more)
{
    const char *name;
    json_t *value;
    json_object_foreach(kwargs, name, value)
    {
        struct parameter *parameter = find(binding, name);
        if (parameter == NULL && more != NULL) {
            json_object_set_nocheck(more, name, value);
            continue;
        }
        if (parameter == NULL) {
            celery_fail(binding->task, "TypeError", "%s() got an unexpected keyword argument '%s'",
                        binding->function, name);
            return false;
        }
        if (parameter->value != NULL) {
            celery_fail(binding->task, "TypeError", "%s() got multiple values for argument '%s'",
                        binding->function, name);
            return false;
        }
        parameter->value = value;
    }
    return true;
}

static bool too_many_positional(struct binding *binding, size_t given)
{
    size_t defaults = 0, keywords = 0;
    char takes[64], others[96] = "";
    for (size_t i = 0; i < binding->count; i++) {
        if (i >= binding->positional)
            keywords += binding->parameters[i].value != NULL;
        else
            defaults += binding->parameters[i].initial != NULL;
    }
    if (defaults > 0)
        (void)snprintf(takes, sizeof takes, "from %zu to %zu", binding->positional - defaults,
                       binding->positional);
    else
        (void)snprintf(takes, sizeof takes, "%zu", binding->positional);
    if (keywords > 0)
        (void)snprintf(others, sizeof others, " positional argument%s (and %zu keyword-only argument%s)",
                       given != 1 ? "s" : "", keywords, keywords != 1 ? "s" : "");
    celery_fail(binding->task, "TypeError", "%s() takes %s positional argument%s but %zu%s %s given",
                binding->function, takes, defaults > 0 || binding->positional != 1 ? "s" : "", given, others,
                given == 1 && keywords == 0 ? "was" : "were");
    return false;
}

static bool is_missing(const struct parameter *parameter)
{
    return parameter->value == NULL && parameter->initial == NULL;
}

/* Looks at the parameters from `first` to before `end`; false when some are missing. */
static bool none_missing(struct binding *binding, size_t first, size_t end, const char *sort)
{
    size_t missing = 0, named = 0;
    for (size_t i = first; i < end; i++)
        missing += is_missing(&binding->parameters[i]);
    if (missing == 0)
        return true;
    struct bytes names;
    bytes_init(&names, 0);
    for (size_t i = first; i < end; i++) {
        const struct parameter *parameter = &binding->parameters[i];
        if (!is_missing(parameter))
            continue;
        const char *before = named == 0 ? "" : named + 1 < missing ? ", " : missing == 2 ? " and " : ", and ";
        bytes_append_format(&names, NULL, "%s'%.*s'", before, (int)parameter->length, parameter->name);
        named++;
    }
    const char *text = bytes_text(&names);
    celery_fail(binding->task, "TypeError", "%s() missing %zu required %s argument%s: %s", binding->function,
                missing, sort, missing == 1 ? "" : "s", text == NULL ? "?" : text);
    bytes_clear(&names);
    return false;
}

static bool bind(struct binding *binding, json_t *args, json_t *kwargs)
{
    size_t given = json_array_size(args);
    json_t *rest = binding->rest == NULL ? NULL : keep(binding->task, json_array());
    json_t *more = binding->more == NULL ? NULL : keep(binding->task, json_object());
    for (size_t i = 0; i < given; i++) {
        if (i < binding->positional)
            binding->parameters[i].value = json_array_get(args, i);
        else if (rest != NULL)
            json_array_append(rest, json_array_get(args, i));
    }
    if (!bind_keywords(binding, kwargs, more))
        return false;
    if (given > binding->positional && binding->rest == NULL)
        return too_many_positional(binding, given);
    if (!none_missing(binding, 0, binding->positional, "positional") ||
        !none_missing(binding, binding->positional, binding->count, "keyword-only"))
        return false;
    if (binding->rest != NULL)
        *binding->rest = rest;
    if (binding->more != NULL)
        *binding->more = more;
    return true;
}

/* ---- conversion ---- */

static const char *python_type(const json_t *value)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "dict", [JSON_ARRAY] = "list", [JSON_STRING] = "str", [JSON_INTEGER] = "int",
        [JSON_REAL] = "float",  [JSON_TRUE] = "bool",  [JSON_FALSE] = "bool", [JSON_NULL] = "NoneType"};
    return names[json_typeof(value)];
}

static bool wrong_type(const struct binding *binding, const struct parameter *parameter, const char *expected,
                       const json_t *value)
{
    celery_fail(binding->task, "TypeError", "%s() argument '%.*s' must be %s, not %s", binding->function,
                (int)parameter->length, parameter->name, expected, python_type(value));
    return false;
}

static bool convert_text(const struct binding *binding, const struct parameter *parameter, json_t *value)
{
    bool may_be_none = parameter->initial != NULL && json_is_null(parameter->initial);
    const char **to = parameter->to;
    *to = NULL;
    if (json_is_null(value) && may_be_none)
        return true;
    if (!json_is_string(value))
        return wrong_type(binding, parameter, may_be_none ? "str or None" : "str", value);
    if (strlen(json_string_value(value)) != json_string_length(value)) {
        celery_fail(binding->task, "ValueError", "embedded null character");
        return false;
    }
    *to = json_string_value(value);
    return true;
}

/* bool is an int in Python, and an int is taken where a float is wanted. */
static bool convert(const struct binding *binding, const struct parameter *parameter)
{
    json_t *value = parameter->value != NULL ? parameter->value : parameter->initial;
    switch (parameter->kind) {
    case 'I':
        if (!json_is_integer(value) && !json_is_boolean(value))
            return wrong_type(binding, parameter, "int", value);
        *(json_int_t *)parameter->to =
            json_is_integer(value) ? json_integer_value(value) : json_is_true(value);
        return true;
    case 'd':
        if (!json_is_number(value) && !json_is_boolean(value))
            return wrong_type(binding, parameter, "float", value);
        *(double *)parameter->to = json_is_number(value) ? json_number_value(value) : json_is_true(value);
        return true;
    case 's':
        return convert_text(binding, parameter, value);
    case 'b':
        if (!json_is_boolean(value))
            return wrong_type(binding, parameter, "bool", value);
        *(bool *)parameter->to = json_is_true(value);
        return true;
    default:
        *(json_t **)parameter->to = value;
        return true;
    }
}

bool celery_args(struct celery_task *task, json_t *args, json_t *kwargs, const char *format, ...)
{
    struct binding binding = {.task = task, .function = task_function_name(task)};
    va_list to;
    va_start(to, format);
    bool ok = read_format(&binding, format, &to);
    va_end(to);
    ok = ok && bind(&binding, args, kwargs);
    for (size_t i = 0; ok && i < binding.count; i++)
        ok = convert(&binding, &binding.parameters[i]);
    return ok;
}
