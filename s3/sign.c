#include "s3/sign.h"

#include "s3/encode.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DIGEST_SIZE 32
#define SCOPE_SIZE 128

void s3_sign_date(int64_t time, char date[S3_SIGN_DATE_SIZE])
{
    time_t seconds = (time_t)time;
    struct tm utc = {0};
    (void)gmtime_r(&seconds, &utc);
    if (strftime(date, S3_SIGN_DATE_SIZE, "%Y%m%dT%H%M%SZ", &utc) == 0)
        date[0] = '\0';
}

static void to_hex(const unsigned char digest[DIGEST_SIZE], char hash[S3_HASH_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < DIGEST_SIZE; i++) {
        hash[2 * i] = digits[digest[i] >> 4];
        hash[2 * i + 1] = digits[digest[i] & 15];
    }
    hash[2 * DIGEST_SIZE] = '\0';
}

bool s3_hash(const void *data, size_t size, char hash[S3_HASH_SIZE], struct error *error)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    if (EVP_Digest(size == 0 ? "" : data, size, digest, &length, EVP_sha256(), NULL) != 1 ||
        length != DIGEST_SIZE)
        return error_set(error, ERROR_MEMORY, "SHA-256 failed");
    to_hex(digest, hash);
    return true;
}

static bool keyed_hash(const void *key, size_t key_size, const char *text, size_t size,
                       unsigned char mac[DIGEST_SIZE])
{
    unsigned int length = DIGEST_SIZE;
    return HMAC(EVP_sha256(), key, (int)key_size, (const unsigned char *)text, size, mac, &length) != NULL;
}

/* ---- step 1: the canonical request ---- */

static int compare_fields(const void *left, const void *right)
{
    const struct s3_field *a = left, *b = right;
    int order = strcmp(a->name, b->name);
    return order != 0 ? order : strcmp(a->value, b->value);
}

/* Sorts by the encoded forms: '%' sorts before letters, so that the order of the plain ones may differ. */
bool s3_sign_canonical_query(const struct s3_field *query, size_t count, struct bytes *into,
                             struct error *error)
{
    if (count > S3_SIGN_FIELD_LIMIT)
        return error_set(error, ERROR_LIMIT, "more than %d parameters of a request", S3_SIGN_FIELD_LIMIT);
    struct s3_field sorted[S3_SIGN_FIELD_LIMIT];
    struct bytes texts[2 * S3_SIGN_FIELD_LIMIT] = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        struct bytes *name = &texts[2 * i], *value = &texts[2 * i + 1];
        ok = s3_encode(name, query[i].name, false, error) && s3_encode(value, query[i].value, false, error);
        sorted[i] = (struct s3_field){ok ? bytes_text(name) : NULL, ok ? bytes_text(value) : NULL};
        if (ok && (sorted[i].name == NULL || sorted[i].value == NULL))
            ok = error_set(error, ERROR_MEMORY, "no memory for a query");
    }
    if (ok && count > 0)
        qsort(sorted, count, sizeof sorted[0], compare_fields);
    for (size_t i = 0; ok && i < count; i++)
        ok = bytes_append_format(into, error, "%s%s=%s", i == 0 ? "" : "&", sorted[i].name, sorted[i].value);
    for (size_t i = 0; i < 2 * count; i++)
        bytes_clear(&texts[i]);
    return ok;
}

/* Outer spaces go, inner runs of them become one. */
static bool append_trimmed(struct bytes *into, const char *value, struct error *error)
{
    bool space = false, any = false;
    for (const char *c = value; *c != '\0'; c++) {
        if (*c == ' ' || *c == '\t') {
            space = any;
            continue;
        }
        if (space && !bytes_append(into, " ", 1, error))
            return false;
        if (!bytes_append(into, c, 1, error))
            return false;
        space = false;
        any = true;
    }
    return true;
}

bool s3_sign_canonical_request(const struct s3_signing *signing, struct bytes *canonical, struct bytes *names,
                               struct error *error)
{
    if (signing->header_count > S3_SIGN_FIELD_LIMIT)
        return error_set(error, ERROR_LIMIT, "more than %d headers of a request", S3_SIGN_FIELD_LIMIT);
    struct s3_field sorted[S3_SIGN_FIELD_LIMIT];
    memcpy(sorted, signing->headers, signing->header_count * sizeof sorted[0]);
    qsort(sorted, signing->header_count, sizeof sorted[0], compare_fields);

    if (!bytes_append_format(canonical, error, "%s\n%s\n", signing->method, signing->path) ||
        !s3_sign_canonical_query(signing->query, signing->query_count, canonical, error) ||
        !bytes_append_text(canonical, "\n", error))
        return false;
    for (size_t i = 0; i < signing->header_count; i++) {
        if (!bytes_append_format(canonical, error, "%s:", sorted[i].name) ||
            !append_trimmed(canonical, sorted[i].value, error) ||
            !bytes_append_text(canonical, "\n", error) ||
            !bytes_append_format(names, error, "%s%s", i == 0 ? "" : ";", sorted[i].name))
            return false;
    }
    const char *listed = bytes_text(names);
    if (listed == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a signature");
    return bytes_append_format(canonical, error, "\n%s\n%s", listed, signing->payload);
}

/* ---- steps 2 and 3: the string to sign, and the signature ---- */

static bool write_scope(const struct s3_signing *signing, char scope[SCOPE_SIZE], struct error *error)
{
    char date[S3_SIGN_DATE_SIZE];
    s3_sign_date(signing->time, date);
    int length =
        snprintf(scope, SCOPE_SIZE, "%.8s/%s/%s/aws4_request", date, signing->region, signing->service);
    if (length < 0 || length >= SCOPE_SIZE)
        return error_set(error, ERROR_INVALID, "the region's name is too long");
    return true;
}

static bool sign_text(const struct s3_signing *signing, const char *secret, const char *text, size_t size,
                      char signature[S3_HASH_SIZE], struct error *error)
{
    char first[260], date[S3_SIGN_DATE_SIZE];
    int length = snprintf(first, sizeof first, "AWS4%s", secret);
    if (length < 0 || (size_t)length >= sizeof first)
        return error_set(error, ERROR_INVALID, "the secret key is longer than 255 bytes");
    s3_sign_date(signing->time, date);
    unsigned char key[DIGEST_SIZE], next[DIGEST_SIZE];
    bool ok = keyed_hash(first, (size_t)length, date, 8, key) &&
              keyed_hash(key, sizeof key, signing->region, strlen(signing->region), next) &&
              keyed_hash(next, sizeof next, signing->service, strlen(signing->service), key) &&
              keyed_hash(key, sizeof key, "aws4_request", 12, next) &&
              keyed_hash(next, sizeof next, text, size, key);
    if (ok)
        to_hex(key, signature);
    explicit_bzero(first, sizeof first);
    explicit_bzero(next, sizeof next);
    return ok || error_set(error, ERROR_MEMORY, "HMAC-SHA-256 failed");
}

/* `names` gets the signed headers' names. */
static bool sign(const struct s3_signing *signing, const char *secret, const char *scope, struct bytes *names,
                 char signature[S3_HASH_SIZE], struct error *error)
{
    struct bytes canonical = {0}, text = {0};
    char hash[S3_HASH_SIZE], date[S3_SIGN_DATE_SIZE];
    s3_sign_date(signing->time, date);
    bool ok = s3_sign_canonical_request(signing, &canonical, names, error) &&
              s3_hash(canonical.data, canonical.size, hash, error) &&
              bytes_append_format(&text, error, "AWS4-HMAC-SHA256\n%s\n%s\n%s", date, scope, hash) &&
              sign_text(signing, secret, text.data, text.size, signature, error);
    bytes_clear(&canonical);
    bytes_clear(&text);
    return ok;
}

bool s3_sign_header(const struct s3_signing *signing, const struct s3_credentials *credentials,
                    struct bytes *authorization, struct error *error)
{
    char scope[SCOPE_SIZE], signature[S3_HASH_SIZE];
    struct bytes names = {0};
    bool ok = write_scope(signing, scope, error) &&
              sign(signing, credentials->secret_key, scope, &names, signature, error) &&
              bytes_append_format(authorization, error,
                                  "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%.*s, Signature=%s",
                                  credentials->access_key, scope, (int)names.size, names.data, signature);
    bytes_clear(&names);
    return ok;
}

/* The names of the headers must be known before the query can be signed, which holds them. */
static bool join_names(const struct s3_signing *signing, struct bytes *names, struct error *error)
{
    struct bytes unused = {0};
    bool ok = s3_sign_canonical_request(signing, &unused, names, error);
    bytes_clear(&unused);
    return ok;
}

bool s3_sign_query(const struct s3_signing *signing, const struct s3_credentials *credentials,
                   unsigned expires, struct bytes *query, struct error *error)
{
    enum { OWN = 6 };
    if (signing->query_count > S3_SIGN_FIELD_LIMIT - OWN)
        return error_set(error, ERROR_LIMIT, "more than %d parameters to presign", S3_SIGN_FIELD_LIMIT - OWN);
    char scope[SCOPE_SIZE], date[S3_SIGN_DATE_SIZE], seconds[16], signature[S3_HASH_SIZE];
    struct bytes credential = {0}, names = {0}, again = {0};
    s3_sign_date(signing->time, date);
    (void)snprintf(seconds, sizeof seconds, "%u", expires);
    bool ok = write_scope(signing, scope, error) && join_names(signing, &names, error) &&
              bytes_append_format(&credential, error, "%s/%s", credentials->access_key, scope);
    struct s3_field fields[S3_SIGN_FIELD_LIMIT];
    size_t count = signing->query_count;
    if (ok) {
        if (count > 0)
            memcpy(fields, signing->query, count * sizeof fields[0]);
        fields[count++] = (struct s3_field){"X-Amz-Algorithm", "AWS4-HMAC-SHA256"};
        fields[count++] = (struct s3_field){"X-Amz-Credential", bytes_text(&credential)};
        fields[count++] = (struct s3_field){"X-Amz-Date", date};
        fields[count++] = (struct s3_field){"X-Amz-Expires", seconds};
        fields[count++] = (struct s3_field){"X-Amz-SignedHeaders", bytes_text(&names)};
        if (credentials->session_token != NULL && credentials->session_token[0] != '\0')
            fields[count++] = (struct s3_field){"X-Amz-Security-Token", credentials->session_token};
        struct s3_signing whole = *signing;
        whole.query = fields;
        whole.query_count = count;
        ok = sign(&whole, credentials->secret_key, scope, &again, signature, error) &&
             s3_sign_canonical_query(fields, count, query, error) &&
             bytes_append_format(query, error, "&X-Amz-Signature=%s", signature);
    }
    bytes_clear(&credential);
    bytes_clear(&names);
    bytes_clear(&again);
    return ok;
}
