#include "s3/encode.h"
#include "tests/unit/unit.h"

#include <stdio.h>

static void expect(const char *text, bool slash, const char *encoded)
{
    struct bytes bytes = {0};
    CU_ASSERT(s3_encode(&bytes, text, slash, NULL));
    CU_ASSERT_STRING_EQUAL(bytes_text(&bytes), encoded);
    bytes_clear(&bytes);
}

static void only_unreserved_bytes_stay_as_they_are(void)
{
    expect("AZaz09-._~", false, "AZaz09-._~");
    expect(" !\"#$%&'()*+,:;<=>?@[\\]^`{|}", false,
           "%20%21%22%23%24%25%26%27%28%29%2A%2B%2C%3A%3B%3C%3D%3E%3F%40%5B%5C%5D%5E%60%7B%7C%7D");
    expect("\xe2\x82\xac\x01\xff", false, "%E2%82%AC%01%FF");
    expect("", false, "");
}

static void slashes_stay_in_paths_only(void)
{
    expect("a/b//c", true, "a/b//c");
    expect("a/b", false, "a%2Fb");
}

static void decoding_undoes_what_lists_encode(void)
{
    char text[] = "a%2Fb+c%20d%C3%BC%2b";
    s3_decode(text);
    CU_ASSERT_STRING_EQUAL(text, "a/b c d\xc3\xbc+");
}

static void bad_escapes_stay(void)
{
    char text[] = "%zz%4%", nul[] = "a%00b";
    s3_decode(text);
    CU_ASSERT_STRING_EQUAL(text, "%zz%4%");
    s3_decode(nul);
    CU_ASSERT_STRING_EQUAL(nul, "a%00b");
}

UNIT_MAIN("encoding", {"only unreserved bytes stay as they are", only_unreserved_bytes_stay_as_they_are},
          {"slashes stay in paths only", slashes_stay_in_paths_only},
          {"decoding undoes what lists encode", decoding_undoes_what_lists_encode},
          {"bad escapes stay", bad_escapes_stay})
