/* s3-tool: the functions of s3/ as commands, for tests that drive them from outside against a real server.
 *
 * Results go to standard output. A failure is one line "<code>: <sentence>" on standard error and exit
 * code 1. SIGTERM sets the flag that the client's `cancelled` reads. */
#include "common/clock.h"
#include "common/setting.h"
#include "s3/bucket.h"
#include "s3/list.h"
#include "s3/multipart.h"
#include "s3/presign.h"
#include "s3/read.h"
#include "s3/upload.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t cancelled;

static struct {
    const char *endpoint, *region, *access_key, *secret_key, *token, *style, *ca_file, *prefix, *start_after,
        *type;
    double connect_timeout, stall_timeout, retry_time, pause;
    long connections, page, in_flight, expires, readers;
    size_t budget, part_size, offset, size, chunk;
    bool pin, stats, sign;
} given;

static const struct setting settings[] = {
    {"endpoint", 0, "AWS_ENDPOINT_URL_S3", SETTING_TEXT, &given.endpoint, NULL, 0, 0, "URL", "Where S3 is.",
     false},
    {"region", 0, "AWS_REGION", SETTING_TEXT, &given.region, NULL, 0, 0, "NAME", "Region.", false},
    {"access-key", 0, "AWS_ACCESS_KEY_ID", SETTING_TEXT, &given.access_key, NULL, 0, 0, "KEY", "Access key.",
     false},
    {"secret-key", 0, "AWS_SECRET_ACCESS_KEY", SETTING_TEXT, &given.secret_key, NULL, 0, 0, "KEY",
     "Secret key.", true},
    {"session-token", 0, "AWS_SESSION_TOKEN", SETTING_TEXT, &given.token, NULL, 0, 0, "T", "Session token.",
     true},
    {"style", 0, NULL, SETTING_TEXT, &given.style, "auto", 0, 0, "S", "auto, path or virtual.", false},
    {"ca-file", 0, NULL, SETTING_TEXT, &given.ca_file, NULL, 0, 0, "FILE", "Trusted authorities.", false},
    {"prefix", 0, NULL, SETTING_TEXT, &given.prefix, NULL, 0, 0, "TEXT",
     "Of keys, for list, read-all, sweep.", false},
    {"start-after", 0, NULL, SETTING_TEXT, &given.start_after, NULL, 0, 0, "KEY", "For list.", false},
    {"type", 0, NULL, SETTING_TEXT, &given.type, NULL, 0, 0, "TYPE", "Content type, for put and upload.",
     false},
    {"connect-timeout", 0, NULL, SETTING_SECONDS, &given.connect_timeout, "0", 0, 1e6, "S", "To connect.",
     false},
    {"stall-timeout", 0, NULL, SETTING_SECONDS, &given.stall_timeout, "0", 0, 1e6, "S", "Without a byte.",
     false},
    {"retry-time", 0, NULL, SETTING_SECONDS, &given.retry_time, "0", 0, 1e6, "S", "Of failures in a row.",
     false},
    {"pause", 0, NULL, SETTING_SECONDS, &given.pause, "0", 0, 1e6, "S", "Before the second read of get.",
     false},
    {"connections", 0, NULL, SETTING_INTEGER, &given.connections, "0", 0, 4096, "N", "Most at once.", false},
    {"page", 0, NULL, SETTING_INTEGER, &given.page, "0", 0, 1000, "N", "Keys a page of list.", false},
    {"in-flight", 0, NULL, SETTING_INTEGER, &given.in_flight, "0", 0, 100, "N", "Parts of upload at once.",
     false},
    {"expires", 0, NULL, SETTING_INTEGER, &given.expires, "0", 0, 1000000, "S", "Of presign.", false},
    {"readers", 0, NULL, SETTING_INTEGER, &given.readers, "0", 0, 100000, "N", "Of a set; read-all: all.",
     false},
    {"budget", 0, NULL, SETTING_SIZE, &given.budget, "0", 0, 1e12, "BYTES", "Of all windows.", false},
    {"part-size", 0, NULL, SETTING_SIZE, &given.part_size, "0", 0, 1e12, "BYTES", "Of upload.", false},
    {"offset", 0, NULL, SETTING_SIZE, &given.offset, "0", 0, 1e15, "BYTES", "Of get.", false},
    {"size", 0, NULL, SETTING_SIZE, &given.size, "0", 0, 1e15, "BYTES", "Of get.", false},
    {"chunk", 0, NULL, SETTING_SIZE, &given.chunk, "64k", 1, 1e9, "BYTES", "Of a read.", false},
    {"pin", 0, NULL, SETTING_FLAG, &given.pin, NULL, 0, 0, NULL, "Read only the version that HEAD says.",
     false},
    {"sign-payload", 0, NULL, SETTING_FLAG, &given.sign, NULL, 0, 0, NULL, "Sign bodies by their SHA-256.",
     false},
    {"stats", 0, NULL, SETTING_FLAG, &given.stats, NULL, 0, 0, NULL, "Requests, retries, memory at the end.",
     false},
    {0},
};

static void on_term(int number)
{
    (void)number;
    cancelled = 1;
}

static bool is_cancelled(void *context)
{
    (void)context;
    return cancelled != 0;
}

/* ---- buckets and objects ---- */

static bool do_make(struct s3_client *client, char **words, struct error *error)
{
    return s3_bucket_create(client, words[0], error);
}

static bool do_remove_bucket(struct s3_client *client, char **words, struct error *error)
{
    return s3_bucket_delete(client, words[0], error);
}

static bool do_check(struct s3_client *client, char **words, struct error *error)
{
    return s3_bucket_head(client, words[0], error);
}

static bool do_head(struct s3_client *client, char **words, struct error *error)
{
    struct s3_head head;
    if (!s3_head(client, words[0], words[1], &head, error))
        return false;
    printf("%" PRIu64 " %" PRId64 " %s %s\n", head.version.size, head.version.modified, head.version.etag,
           head.content_type);
    return true;
}

static bool do_delete(struct s3_client *client, char **words, struct error *error)
{
    return s3_delete(client, words[0], words[1], error);
}

static enum s3_list_answer print_entry(void *context, const struct s3_entry *entry, struct error *error)
{
    (void)context, (void)error;
    printf("%s\t%" PRIu64 "\t%" PRId64 "\t%s\n", entry->key, entry->version.size, entry->version.modified,
           entry->version.etag);
    return S3_LIST_MORE;
}

static bool do_list(struct s3_client *client, char **words, struct error *error)
{
    struct s3_list_options options = {given.prefix, given.start_after, (unsigned)given.page};
    return s3_list(client, words[0], &options, print_entry, NULL, error);
}

static bool do_get_range(struct s3_client *client, char **words, struct error *error)
{
    struct bytes bytes = {0};
    bool ok = s3_get(client, words[0], words[1], NULL, given.offset, given.size, &bytes, error);
    if (ok && bytes.size > 0)
        (void)fwrite(bytes.data, 1, bytes.size, stdout);
    bytes_clear(&bytes);
    return ok;
}

static bool do_presign(struct s3_client *client, char **words, struct error *error)
{
    struct s3_presign_options options = {.expires = (unsigned)given.expires, .content_type = given.type};
    struct bytes url = {0};
    bool ok = s3_presign(client, words[0], words[1], words[2], &options, &url, error);
    if (ok)
        printf("%s\n", bytes_text(&url));
    bytes_clear(&url);
    return ok;
}

/* ---- streaming ---- */

static bool copy_out(struct s3_reader *reader, struct error *error)
{
    char *buffer = malloc(given.chunk);
    ssize_t got = 1;
    for (int reads = 0; got > 0; reads++) {
        if (reads == 1 && given.pause > 0)
            (void)usleep((unsigned)(given.pause * 1e6));
        got = s3_reader_read(reader, buffer, given.chunk, error);
        if (got > 0)
            (void)fwrite(buffer, 1, (size_t)got, stdout);
        if (reads == 0)
            (void)fflush(stdout);
    }
    free(buffer);
    return got == 0;
}

static bool do_get(struct s3_client *client, char **words, struct error *error)
{
    struct s3_head head;
    if (given.pin && !s3_head(client, words[0], words[1], &head, error))
        return false;
    struct s3_reader_set_settings limits = {given.budget, (unsigned)given.readers,
                                            (unsigned)given.connections};
    struct s3_reader_set *set = s3_reader_set_new(client, &limits, error);
    if (set == NULL)
        return false;
    struct s3_reader_options options = {given.pin ? &head.version : NULL, given.offset, given.size, false};
    struct s3_reader *reader = s3_reader_open(set, words[0], words[1], &options, error);
    bool ok = reader != NULL && copy_out(reader, error);
    s3_reader_close(reader);
    s3_reader_set_free(set);
    return ok;
}

struct input {
    char *key;
    struct s3_version version;
    struct s3_reader *reader;
    EVP_MD_CTX *digest;
    uint64_t size;
    bool ended;
};

struct inputs {
    struct input *list;
    size_t count;
};

static enum s3_list_answer add_input(void *context, const struct s3_entry *entry, struct error *error)
{
    (void)error;
    struct inputs *inputs = context;
    inputs->list = reallocarray(inputs->list, inputs->count + 1, sizeof *inputs->list);
    inputs->list[inputs->count++] = (struct input){.key = strdup(entry->key), .version = entry->version};
    return S3_LIST_MORE;
}

static bool read_some(struct input *input, char *buffer, struct error *error)
{
    ssize_t got = s3_reader_read(input->reader, buffer, given.chunk, error);
    if (got < 0)
        return false;
    input->ended = got == 0;
    input->size += (uint64_t)got;
    (void)EVP_DigestUpdate(input->digest, buffer, (size_t)got);
    return true;
}

/* A chunk of each object in turn, as a merge of files that all cover the same keys reads. */
static bool read_in_turns(struct inputs *inputs, struct error *error)
{
    char *buffer = malloc(given.chunk);
    bool ok = true;
    for (size_t open = inputs->count; ok && open > 0;) {
        open = 0;
        for (size_t i = 0; ok && i < inputs->count; i++) {
            if (inputs->list[i].ended)
                continue;
            ok = read_some(&inputs->list[i], buffer, error);
            open++;
        }
    }
    free(buffer);
    return ok;
}

static void print_input(const struct input *input)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    (void)EVP_DigestFinal_ex(input->digest, digest, &length);
    printf("%s\t%" PRIu64 "\t", input->key, input->size);
    for (unsigned int i = 0; i < length; i++)
        printf("%02x", digest[i]);
    printf("\n");
}

static bool do_read_all(struct s3_client *client, char **words, struct error *error)
{
    struct inputs inputs = {0};
    struct s3_list_options list = {given.prefix, given.start_after, 0};
    bool ok = s3_list(client, words[0], &list, add_input, &inputs, error);
    struct s3_reader_set_settings limits = {given.budget, (unsigned)inputs.count,
                                            (unsigned)given.connections};
    struct s3_reader_set *set = s3_reader_set_new(client, &limits, error);
    for (size_t i = 0; ok && i < inputs.count; i++) {
        struct input *input = &inputs.list[i];
        struct s3_reader_options options = {.version = &input->version};
        input->reader = s3_reader_open(set, words[0], input->key, &options, error);
        input->digest = EVP_MD_CTX_new();
        (void)EVP_DigestInit_ex(input->digest, EVP_sha256(), NULL);
        ok = input->reader != NULL;
    }
    ok = ok && read_in_turns(&inputs, error);
    for (size_t i = 0; i < inputs.count; i++) {
        if (ok)
            print_input(&inputs.list[i]);
        s3_reader_close(inputs.list[i].reader);
        EVP_MD_CTX_free(inputs.list[i].digest);
        free(inputs.list[i].key);
    }
    free(inputs.list);
    s3_reader_set_free(set);
    return ok;
}

static bool fill(struct s3_upload *upload, struct error *error)
{
    for (;;) {
        size_t room;
        void *to = s3_upload_borrow(upload, &room, error);
        if (to == NULL)
            return false;
        size_t got = fread(to, 1, room < given.chunk ? room : given.chunk, stdin);
        if (!s3_upload_commit(upload, got, error))
            return false;
        if (got == 0)
            return true;
    }
}

static bool do_upload(struct s3_client *client, char **words, struct error *error)
{
    struct s3_upload_options options = {
        .content_type = given.type, .part_size = given.part_size, .in_flight = (unsigned)given.in_flight};
    struct s3_version version;
    struct s3_upload *upload = s3_upload_new(client, words[0], words[1], &options, error);
    bool ok = upload != NULL && fill(upload, error) && s3_upload_finish(upload, &version, error);
    if (ok)
        printf("%" PRIu64 " %s\n", version.size, version.etag);
    s3_upload_free(upload);
    return ok;
}

static bool do_put(struct s3_client *client, char **words, struct error *error)
{
    struct bytes bytes = {0};
    size_t got = 1;
    bool ok = true;
    while (ok && got > 0) {
        ok = bytes_reserve(&bytes, given.chunk, error);
        got = ok ? fread(bytes.data + bytes.size, 1, given.chunk, stdin) : 0;
        bytes.size += got;
    }
    ok = ok && s3_put(client, words[0], words[1], given.type, bytes.data, bytes.size, NULL, error);
    bytes_clear(&bytes);
    return ok;
}

/* ---- multipart uploads step by step ---- */

static bool do_begin(struct s3_client *client, char **words, struct error *error)
{
    char id[S3_UPLOAD_ID_SIZE];
    bool ok = s3_multipart_create(client, words[0], words[1], given.type, id, error);
    if (ok)
        printf("%s\n", id);
    return ok;
}

static bool do_copy_part(struct s3_client *client, char **words, struct error *error)
{
    struct s3_head head;
    struct s3_part part;
    return s3_head(client, words[4], words[5], &head, error) &&
           s3_multipart_copy(client, words[0], words[1], words[2], (unsigned)atoi(words[3]), words[4],
                             words[5], &head.version, given.offset,
                             given.size == 0 ? head.version.size : given.size, &part, error);
}

static bool do_put_part(struct s3_client *client, char **words, struct error *error)
{
    struct s3_part part;
    char *data = malloc(given.size);
    size_t got = fread(data, 1, given.size, stdin);
    bool ok = s3_multipart_put(client, words[0], words[1], words[2], (unsigned)atoi(words[3]), data, got,
                               &part, error);
    free(data);
    return ok;
}

static bool do_complete(struct s3_client *client, char **words, struct error *error)
{
    struct s3_part *parts = NULL;
    size_t count = 0;
    struct s3_version version;
    bool ok = s3_multipart_parts(client, words[0], words[1], words[2], &parts, &count, error) &&
              s3_multipart_complete(client, words[0], words[1], words[2], parts, count, &version, error);
    if (ok)
        printf("%zu %" PRIu64 " %s\n", count, version.size, version.etag);
    free(parts);
    return ok;
}

static bool do_abort(struct s3_client *client, char **words, struct error *error)
{
    return s3_multipart_abort(client, words[0], words[1], words[2], error);
}

static bool do_sweep(struct s3_client *client, char **words, struct error *error)
{
    unsigned aborted;
    if (!s3_multipart_sweep(client, words[0], given.prefix, clock_wall() - atof(words[1]), &aborted, error))
        return false;
    printf("%u\n", aborted);
    return true;
}

/* ---- the table ---- */

static const struct {
    const char *name;
    int words;
    const char *usage;
    bool (*run)(struct s3_client *client, char **words, struct error *error);
} commands[] = {
    {"make-bucket", 1, "BUCKET", do_make},
    {"remove-bucket", 1, "BUCKET", do_remove_bucket},
    {"check-bucket", 1, "BUCKET", do_check},
    {"head", 2, "BUCKET KEY", do_head},
    {"delete", 2, "BUCKET KEY", do_delete},
    {"list", 1, "BUCKET", do_list},
    {"get", 2, "BUCKET KEY", do_get},
    {"get-range", 2, "BUCKET KEY", do_get_range},
    {"read-all", 1, "BUCKET", do_read_all},
    {"put", 2, "BUCKET KEY", do_put},
    {"upload", 2, "BUCKET KEY", do_upload},
    {"presign", 3, "METHOD BUCKET KEY", do_presign},
    {"begin", 2, "BUCKET KEY", do_begin},
    {"put-part", 4, "BUCKET KEY UPLOAD NUMBER", do_put_part},
    {"copy-part", 6, "BUCKET KEY UPLOAD NUMBER SOURCE-BUCKET SOURCE-KEY", do_copy_part},
    {"complete", 3, "BUCKET KEY UPLOAD", do_complete},
    {"abort", 3, "BUCKET KEY UPLOAD", do_abort},
    {"sweep", 2, "BUCKET SECONDS-OLD", do_sweep},
};

static int usage(void)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        fprintf(stderr, "s3-tool %s %s\n", commands[i].name, commands[i].usage);
    setting_print(settings, stderr);
    return 2;
}

static struct s3_client *connect_client(struct error *error)
{
    enum s3_style style = strcmp(given.style, "path") == 0      ? S3_STYLE_PATH
                          : strcmp(given.style, "virtual") == 0 ? S3_STYLE_VIRTUAL
                                                                : S3_STYLE_AUTO;
    struct s3_settings wanted = {.endpoint = given.endpoint,
                                 .region = given.region,
                                 .access_key = given.access_key,
                                 .secret_key = given.secret_key,
                                 .session_token = given.token,
                                 .style = style,
                                 .ca_file = given.ca_file,
                                 .connect_timeout = given.connect_timeout,
                                 .stall_timeout = given.stall_timeout,
                                 .retry_time = given.retry_time,
                                 .connections = (unsigned)given.connections,
                                 .sign_payload = given.sign,
                                 .cancelled = is_cancelled};
    return s3_client_new(&wanted, error);
}

static int run(size_t command, char **words)
{
    struct error error = {0};
    struct s3_client *client = connect_client(&error);
    bool ok = client != NULL && commands[command].run(client, words, &error);
    if (client != NULL && given.stats) {
        struct s3_client_counts counts;
        struct rusage usage;
        s3_client_count(client, &counts);
        (void)getrusage(RUSAGE_SELF, &usage);
        fprintf(stderr, "requests=%lu retries=%lu memory=%ldKiB\n", counts.requests, counts.retries,
                usage.ru_maxrss);
    }
    s3_client_free(client);
    if (!ok)
        fprintf(stderr, "%s: %s\n", error_code_name(error.code), error.message);
    return ok && fflush(stdout) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct error error = {0};
    int words = 0;
    if (!setting_read(settings, argc, argv, &words, &error)) {
        fprintf(stderr, "%s\n", error.message);
        return usage();
    }
    (void)signal(SIGTERM, on_term);
    for (size_t i = 0; words > 0 && i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(commands[i].name, argv[1]) == 0 && commands[i].words == words - 1)
            return run(i, argv + 2);
    }
    return usage();
}
