/* The effective configuration: sources, their order, types, ranges, messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/status.h"
#include "json/scan.h"
#include "config/config.h"
#include "support/faults.h"
#include "support/guard.h"

#include <limits.h>
#include <sys/stat.h>

static char root[64]; /* of the bench this test works in */
static char why[400];

static void path_of(char *out, const char *name) {
    snprintf(out, PATH_MAX, "%s/%s", root, name);
}

static void write_file(const char *name, const char *text, size_t n) {
    char path[PATH_MAX];
    path_of(path, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void common(const char *text) {
    write_file("sites/common_site_config.json", text, strlen(text));
}

static void legacy(const char *text) {
    write_file("config.json", text, strlen(text));
}

static const char *const environment[] = {
    "FRAPPE_SOCKETIO_PORT", "FRAPPE_SOCKETIO_UDS", "FRAPPE_REDIS_QUEUE", "FRAPPE_SITE",
    "FRAPPE_RT_REDIS",      "FRAPPE_RT_HOST",      "FRAPPE_RT_CACHE_MS",
};

static int make_bench(void **state) {
    char path[PATH_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof environment / sizeof environment[0]; i++)
        unsetenv(environment[i]);
    snprintf(root, sizeof root, "/tmp/rt-config-XXXXXX");
    if (!mkdtemp(root))
        return -1;
    path_of(path, "sites");
    return mkdir(path, 0700);
}

static int remove_bench(void **state) {
    static const char *const names[] = {"config.json", "sites/common_site_config.json",
                                        "sites/sites", "sites", ""};
    char path[PATH_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        path_of(path, names[i]);
        remove(path);
    }
    return access(root, F_OK) == 0 ? -1 : 0;
}

static rt_config load(const char *overrides) {
    rt_config c;
    if (rt_config_load(&c, root, overrides, why, sizeof why) != RT_OK)
        fail_msg("%s", why);
    return c;
}

static void load_fails(const char *overrides, const char *message) {
    rt_config c;
    assert_int_equal(rt_config_load(&c, root, overrides, why, sizeof why), RT_EINVAL);
    assert_string_equal(why, message);
    rt_config_fini(&c); /* harmless after a failure */
}

static void test_defaults(void **state) {
    rt_config c;
    (void)state;
    assert_int_equal(rt_config_load(&c, NULL, NULL, why, sizeof why), RT_OK);
    assert_int_equal(c.socketio_port, 9000);
    assert_string_equal(c.redis_queue, "redis://127.0.0.1:11311");
    assert_string_equal(c.default_site, "");
    assert_true(c.use_redis);
    assert_false(c.developer_mode);
    assert_int_equal(c.cache_ms, 10000);
    assert_int_equal(c.socketio_port_from, RT_FROM_DEFAULT);
    assert_null(c.bench);
    rt_config_fini(&c);
}

static void test_missing_files(void **state) {
    char absolute[PATH_MAX];
    (void)state;
    rt_config c = load(NULL);
    assert_int_equal(c.socketio_port, 9000);
    assert_non_null(realpath(root, absolute));
    assert_string_equal(c.bench, absolute);
    rt_config_fini(&c);
}

static void test_order(void **state) {
    (void)state;
    legacy("{\"socketio_port\": 1, \"webserver_port\": 2, \"default_site\": \"a\", "
           "\"frappe_rt_cache_ms\": 5, \"unknown\": {\"x\": [1]}}");
    rt_config c = load(NULL);
    assert_int_equal(c.socketio_port, 1);
    assert_int_equal(c.socketio_port_from, RT_FROM_LEGACY_FILE);
    rt_config_fini(&c);
    common("{\"socketio_port\": 3, \"default_site\": \"b\", \"frappe_rt_cache_ms\": 6}");
    setenv("FRAPPE_SOCKETIO_PORT", "4", 1);
    setenv("FRAPPE_SITE", "c", 1);
    c = load("{\"socketio_port\": 5}");
    assert_int_equal(c.socketio_port, 5);
    assert_int_equal(c.socketio_port_from, RT_FROM_CALLER);
    assert_int_equal(c.webserver_port, 2);
    assert_int_equal(c.webserver_port_from, RT_FROM_LEGACY_FILE);
    assert_string_equal(c.default_site, "c");
    assert_int_equal(c.default_site_from, RT_FROM_ENVIRONMENT);
    assert_int_equal(c.cache_ms, 6);
    assert_int_equal(c.cache_ms_from, RT_FROM_COMMON_FILE);
    rt_config_fini(&c);
}

/* Frappe takes a falsy value for absent; for our own keys 0 and false say something. */
static void test_falsy_in_files(void **state) {
    static const char *const falsy[] = {"0", "0.0", "-0", "\"\"", "null", "false", "[]", "{}"};
    (void)state;
    legacy("{\"socketio_port\": 7, \"developer_mode\": 1, \"default_site\": \"a\"}");
    for (size_t i = 0; i < sizeof falsy / sizeof falsy[0]; i++) {
        char text[200];
        snprintf(text, sizeof text,
                 "{\"socketio_port\": %s, \"developer_mode\": %s, \"default_site\": %s}", falsy[i],
                 falsy[i], falsy[i]);
        common(text);
        rt_config c = load(NULL);
        assert_int_equal(c.socketio_port, 7);
        assert_int_equal(c.socketio_port_from, RT_FROM_LEGACY_FILE);
        assert_true(c.developer_mode);
        assert_string_equal(c.default_site, "a");
        rt_config_fini(&c);
    }
    common("{\"frappe_rt_redis\": 0, \"frappe_rt_cache_ms\": 0}");
    rt_config c = load(NULL);
    assert_false(c.use_redis);
    assert_int_equal(c.cache_ms, 0);
    rt_config_fini(&c);
    common("{\"frappe_rt_redis\": null, \"frappe_rt_cache_ms\": \"\"}");
    c = load(NULL);
    assert_true(c.use_redis);
    assert_int_equal(c.cache_ms, 10000);
    rt_config_fini(&c);
}

static void test_overrides_taken_as_they_are(void **state) {
    (void)state;
    common("{\"default_site\": \"a\", \"socketio_allowed_origins\": \"*\", \"developer_mode\": 1}");
    rt_config c = load("{\"socketio_port\": 0, \"default_site\": \"\", \"developer_mode\": false, "
                       "\"socketio_allowed_origins\": [], \"webserver_port\": null}");
    assert_int_equal(c.socketio_port, 0);
    assert_string_equal(c.default_site, "");
    assert_false(c.developer_mode);
    assert_string_equal(c.allowed_origins, "");
    assert_int_equal(c.webserver_port, 8000);
    assert_int_equal(c.webserver_port_from, RT_FROM_DEFAULT);
    rt_config_fini(&c);
}

static void test_types(void **state) {
    (void)state;
    common("{\"socketio_port\": \"9001\", \"developer_mode\": \"1\", \"webserver_port\": 8e3,\n"
           " \"frappe_rt_redis\": \"no\", \"default_site\": \"caf\\u00e9\",\n"
           " \"socketio_allowed_origins\": [\"https://a\", \"https://b:1\"]}");
    rt_config c = load("{\"allow_cors\": [\"*\"]}");
    assert_int_equal(c.socketio_port, 9001);
    assert_true(c.developer_mode);
    assert_int_equal(c.webserver_port, 8000);
    assert_false(c.use_redis);
    assert_string_equal(c.default_site, "caf\xc3\xa9");
    assert_string_equal(c.allowed_origins, "https://a,https://b:1");
    assert_string_equal(c.allow_cors, "*");
    rt_config_fini(&c);
}

static void test_last_member_wins(void **state) {
    (void)state;
    common("{\"socketio_port\": \"x\", \"socketio_port\": 2, \"default_site\": \"a\", "
           "\"default_site\": \"\"}");
    rt_config c = load(NULL);
    assert_int_equal(c.socketio_port, 2);
    assert_string_equal(c.default_site, "");
    rt_config_fini(&c);
}

/* An escaped backslash before u0000 is no NUL. */
static void test_a_nul_is_refused(void **state) {
    (void)state;
    load_fails("{\"socketio_uds\": \"/tmp/a\\u0000b\"}",
               "options: socketio_uds has a NUL character in it");
    load_fails("{\"allow_cors\": [\"a\", \"\\\\\\u0000\"]}",
               "options: allow_cors has a NUL character in it");
    rt_config c = load("{\"default_site\": \"a\\\\u0000\"}");
    assert_string_equal(c.default_site, "a\\u0000");
    rt_config_fini(&c);
}

static void test_environment(void **state) {
    static const struct {
        const char *text;
        bool value;
    } words[] = {{"0", false}, {"1", true},   {"False", false}, {"TRUE", true}, {"off", false},
                 {"on", true}, {"no", false}, {"Yes", true},    {"", true} /* empty: not set */};
    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        setenv("FRAPPE_RT_REDIS", words[i].text, 1);
        rt_config c = load(NULL);
        assert_int_equal(c.use_redis, words[i].value);
        rt_config_fini(&c);
    }
    setenv("FRAPPE_SOCKETIO_PORT", "0", 1);
    setenv("FRAPPE_SOCKETIO_UDS", "/run/x.sock", 1);
    rt_config c = load(NULL);
    assert_int_equal(c.socketio_port, 0);
    assert_string_equal(c.socketio_uds, "/run/x.sock");
    rt_config_fini(&c);
}

static void test_environment_errors(void **state) {
    (void)state;
    setenv("FRAPPE_RT_REDIS", "maybe", 1);
    load_fails(NULL, "environment variable FRAPPE_RT_REDIS is \"maybe\", expected true or false");
    unsetenv("FRAPPE_RT_REDIS");
    setenv("FRAPPE_SOCKETIO_PORT", "70000", 1);
    load_fails(NULL, "environment variable FRAPPE_SOCKETIO_PORT is \"70000\", expected a whole "
                     "number from 0 to 65535");
    setenv("FRAPPE_SOCKETIO_PORT", "9000 ", 1);
    load_fails(NULL, "environment variable FRAPPE_SOCKETIO_PORT is \"9000 \", expected a whole "
                     "number from 0 to 65535");
    unsetenv("FRAPPE_SOCKETIO_PORT");
    setenv("FRAPPE_SITE", "a\xff", 1);
    load_fails(NULL, "environment variable FRAPPE_SITE is not valid UTF-8");
}

static void test_syntax_errors(void **state) {
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "line 1, column 1: not valid JSON: the text ends too early"},
        {"{\n  \"a\": 1\n  \"b\": 2\n}", "line 3, column 3: not valid JSON: unexpected \""},
        {"{\n  \"a\": 1,\n}\n",
         "line 3, column 1: not valid JSON: a comma before the closing bracket"},
        {"{\"a\": [1,]}", "line 1, column 10: not valid JSON: a comma before the closing bracket"},
        {"{\"a\": 1", "line 1, column 8: not valid JSON: the text ends too early"},
        {"{'a': 1}", "line 1, column 2: not valid JSON: unexpected '"},
        {"{\"a\": \"x\ny\"}", "line 1, column 9: not valid JSON: unexpected byte 0x0a"},
        {"{\"a\": \"\xff\"}", "line 1, column 8: not valid UTF-8"},
        {"{\"a\": 1} x", "line 1, column 10: not valid JSON: unexpected x"},
        {"\n[1]", "line 1, column 1: expected an object: { ... }"},
        {"{\"a\":\n \"\\ud800\"}", "line 2, column 3: this text cannot be read: it has half "
                                   "of a surrogate pair, or memory ran out"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char message[300];
        common(cases[i].text);
        snprintf(message, sizeof message, "sites/common_site_config.json, %s", cases[i].message);
        load_fails(NULL, message);
    }
    common("{}");
    legacy("{");
    load_fails(NULL, "config.json, line 1, column 2: not valid JSON: the text ends too early");
}

static void test_value_errors(void **state) {
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"{\n\"socketio_port\": 65536}",
         "line 2: socketio_port is 65536, expected a whole number from 0 to 65535"},
        {"{\"socketio_port\": -1}",
         "line 1: socketio_port is -1, expected a whole number from 0 to 65535"},
        {"{\"socketio_port\": 90.5}",
         "line 1: socketio_port is 90.5, expected a whole number from 0 to 65535"},
        {"{\"socketio_port\": 1e400}",
         "line 1: socketio_port is 1e400, expected a whole number from 0 to 65535"},
        {"{\"socketio_port\":\n\n\"x\"}",
         "line 3: socketio_port is \"x\", expected a whole number from 0 to 65535"},
        {"{\"socketio_port\": true}",
         "line 1: socketio_port is true, expected a whole number from 0 to 65535"},
        {"{\"socketio_port\": {\"a\": 1}}",
         "line 1: socketio_port is an object, expected a whole number from 0 to 65535"},
        {"{\"webserver_port\": \"0\"}",
         "line 1: webserver_port is \"0\", expected a whole number from 1 to 65535"},
        {"{\"developer_mode\": \"x\"}", "line 1: developer_mode is \"x\", expected true or false"},
        {"{\"default_site\": 5}", "line 1: default_site is 5, expected a string"},
        {"{\"redis_queue\": [\"a\", 1]}",
         "line 1: redis_queue is a list with values that are not strings, expected a string"},
        {"{\"socketio_port\": [\"1\"]}",
         "line 1: socketio_port is a list, expected a whole number from 0 to 65535"},
        {"{\"socketio_port\\u0000\": \"x\"}",
         "line 1: socketio_port is , expected a whole number from 0 to 65535"},
        {"{\"frappe_rt_cache_ms\": \"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcde"
         "\xc3\xa9\xc3\xa9\xc3\xa9\"}",
         "line 1: frappe_rt_cache_ms is \"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcde"
         "\xc3\xa9, expected a whole number from 0 to 60000"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char message[300];
        common(cases[i].text);
        snprintf(message, sizeof message, "sites/common_site_config.json, %s", cases[i].message);
        load_fails(NULL, message);
    }
}

static rt_slice described(rt_slice all, const char *key, const char *part) {
    return rt_json_get(rt_json_get(all, rt_slice_of(key)), rt_slice_of(part));
}

static void check_described(rt_slice all, const char *key, const char *part, const char *expected) {
    rt_slice got = described(all, key, part);
    if (!rt_slice_eq(got, rt_slice_of(expected)))
        fail_msg("%s %s: %.*s, not %s", key, part, (int)got.n, got.p, expected);
}

/* One of a list of words; true and false are on and off, where these are on the list. */
static void test_words(void **state) {
    (void)state;
    rt_config c = load(NULL);
    assert_string_equal(c.publish, "auto");
    assert_string_equal(c.forward, "auto");
    rt_config_fini(&c);
    static const struct {
        const char *text, *forward;
    } good[] = {
        {"\"on\"", "on"}, {"\"OFF\"", "off"}, {"true", "on"}, {"false", "off"}, {"\"\"", "auto"},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        char text[100];
        snprintf(text, sizeof text, "{\"frappe_rt_forward\": %s}", good[i].text);
        common(text);
        c = load(NULL);
        assert_string_equal(c.forward, good[i].forward);
        rt_config_fini(&c);
    }
    common("{\"frappe_rt_forward\": \"of\"}");
    load_fails(NULL, "sites/common_site_config.json, line 1: frappe_rt_forward is \"of\", expected "
                     "one of auto|on|off");
    common("{\"frappe_rt_forward\": 1}");
    load_fails(NULL, "sites/common_site_config.json, line 1: frappe_rt_forward is 1, expected one "
                     "of auto|on|off");
    common("{}");
    load_fails("{\"frappe_rt_publish\": true}",
               "options: frappe_rt_publish is true, expected one of auto|redis|local");
    setenv("FRAPPE_RT_PUBLISH", "everywhere", 1);
    load_fails(NULL, "environment variable FRAPPE_RT_PUBLISH is \"everywhere\", expected one of "
                     "auto|redis|local");
    setenv("FRAPPE_RT_PUBLISH", "redis", 1);
    c = load(NULL);
    assert_string_equal(c.publish, "redis");
    char *text = rt_config_describe(&c);
    check_described(rt_slice_of(text), "frappe_rt_publish", "value", "\"redis\"");
    check_described(rt_slice_of(text), "frappe_rt_publish", "default", "\"auto\"");
    rt_free(text);
    rt_config_fini(&c);
    unsetenv("FRAPPE_RT_PUBLISH");
}

/* A path may be false. */
static void test_paths(void **state) {
    static const struct {
        const char *text, *path;
    } cases[] = {{"\"/x\"", "/x"}, {"false", "off"}, {"\"\"", ""}, {"null", ""}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[100];
        snprintf(text, sizeof text, "{\"frappe_rt_local_socket\": %s}", cases[i].text);
        common(text);
        rt_config c = load(NULL);
        assert_string_equal(c.local_socket, cases[i].path);
        rt_config_fini(&c);
    }
    common("{\"frappe_rt_local_socket\": true}");
    load_fails(NULL, "sites/common_site_config.json, line 1: frappe_rt_local_socket is true, "
                     "expected a string");
}

static void test_override_errors(void **state) {
    (void)state;
    load_fails("{\"sockketio_port\": 1}", "options: there is no option called sockketio_port");
    load_fails("{\"socketio_port\": \"x\"}",
               "options: socketio_port is \"x\", expected a whole number from 0 to 65535");
    load_fails("{\"frappe_rt_redis\": \"\"}",
               "options: frappe_rt_redis is \"\", expected true or false");
    load_fails("[]", "options, line 1, column 1: expected an object: { ... }");
}

/* cJSON recurses, so nesting is looked at before it is called. */
static void test_nesting(void **state) {
    char text[3000];
    (void)state;
    for (int depth = 99; depth <= 100; depth++) {
        int n = snprintf(text, sizeof text, "{\"brackets\": \"]]\\\"[[\", \"a\": ");
        memset(text + n, '[', (size_t)depth);
        memset(text + n + depth, ']', (size_t)depth);
        snprintf(text + n + 2 * depth, 3, "}");
        common(text);
        if (depth == 99) {
            rt_config c = load(NULL);
            rt_config_fini(&c);
        } else {
            load_fails(NULL, "sites/common_site_config.json, line 1, column 128: nested too deep");
        }
    }
    memset(text, '[', 2000);
    text[2000] = '\0';
    common(text);
    load_fails(NULL, "sites/common_site_config.json, line 1, column 1025: nested too deep");
}

static void test_file_size(void **state) {
    size_t n = 1 << 20;
    char *text = malloc(n + 1);
    (void)state;
    assert_non_null(text);
    memset(text, ' ', n + 1);
    memcpy(text, "{}", 2);
    write_file("sites/common_site_config.json", text, n);
    rt_config c = load(NULL);
    rt_config_fini(&c);
    write_file("sites/common_site_config.json", text, n + 1);
    load_fails(NULL, "sites/common_site_config.json: larger than 1 MB");
    free(text);
}

static void test_unreadable(void **state) {
    char path[PATH_MAX];
    char message[PATH_MAX + 100];
    rt_config c;
    (void)state;
    path_of(path, "config.json");
    assert_int_equal(mkdir(path, 0700), 0);
    load_fails(NULL, "config.json: Is a directory");
    assert_int_equal(rmdir(path), 0);
    path_of(path, "nowhere");
    assert_int_equal(rt_config_load(&c, path, NULL, why, sizeof why), RT_EINVAL);
    snprintf(message, sizeof message, "bench folder %s: No such file or directory", path);
    assert_string_equal(why, message);
    legacy("{}");
    path_of(path, "config.json");
    assert_int_equal(rt_config_load(&c, path, NULL, why, sizeof why), RT_EINVAL);
    snprintf(message, sizeof message, "bench folder %s: Not a directory", path);
    assert_string_equal(why, message);
}

static void test_sites_folder(void **state) {
    char path[PATH_MAX], absolute[PATH_MAX];
    rt_config c;
    (void)state;
    assert_non_null(realpath(root, absolute));
    common("{\"socketio_port\": 12}");
    path_of(path, "sites/");
    assert_int_equal(rt_config_load(&c, path, NULL, why, sizeof why), RT_OK);
    assert_string_equal(c.bench, absolute);
    assert_int_equal(c.socketio_port, 12);
    rt_config_fini(&c);
    /* A bench that is itself called sites. */
    path_of(path, "sites/sites");
    assert_int_equal(mkdir(path, 0700), 0);
    path_of(path, "sites");
    assert_int_equal(rt_config_load(&c, path, NULL, why, sizeof why), RT_OK);
    assert_int_equal(c.socketio_port, 9000);
    rt_config_fini(&c);
}

static void test_describe(void **state) {
    (void)state;
    setenv("FRAPPE_SITE", "a\"b", 1);
    legacy("{\"webserver_port\": 81}");
    common("{\"developer_mode\": 1}");
    rt_config c = load("{\"frappe_rt_redis\": false}");
    char *text = rt_config_describe(&c);
    assert_non_null(text);
    rt_slice all = rt_slice_of(text);
    assert_int_equal(rt_json_check(all, RT_JSON_STRICT, NULL, NULL), RT_OK);
    check_described(all, "socketio_port", "value", "9000");
    check_described(all, "socketio_port", "default", "9000");
    check_described(all, "socketio_port", "from", "\"default\"");
    check_described(all, "socketio_port", "environment", "\"FRAPPE_SOCKETIO_PORT\"");
    check_described(all, "webserver_port", "value", "81");
    check_described(all, "webserver_port", "from", "\"config.json\"");
    check_described(all, "webserver_port", "environment", "null");
    check_described(all, "webserver_port", "help", "\"port of the web process\"");
    check_described(all, "developer_mode", "value", "true");
    check_described(all, "developer_mode", "default", "false");
    check_described(all, "developer_mode", "from", "\"common_site_config.json\"");
    check_described(all, "default_site", "value", "\"a\\\"b\"");
    check_described(all, "default_site", "from", "\"environment\"");
    check_described(all, "frappe_rt_redis", "value", "false");
    check_described(all, "frappe_rt_redis", "default", "true");
    check_described(all, "frappe_rt_redis", "from", "\"caller\"");
    rt_free(text);
    rt_config_fini(&c);
}

static void test_describe_hides_passwords(void **state) {
    static const struct {
        const char *value, *shown;
    } cases[] = {
        {"redis://127.0.0.1:1/2", "\"redis://127.0.0.1:1/2\""},
        {"redis://:XYZZY@h:1", "\"redis://***@h:1\""},
        {"redis://u:XYZ@ZY/1@h:1", "\"redis://***@h:1\""},
        {"u:XYZZY@h", "\"***@h\""},
        {"unix:///r.sock?db=1&password=XYZZY&username=u",
         "\"unix:///r.sock?db=1&password=***&username=u\""},
        {"redis://h?password=XYZZY", "\"redis://h?password=***\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char overrides[200];
        snprintf(overrides, sizeof overrides, "{\"redis_queue\": \"%s\"}", cases[i].value);
        rt_config c = load(overrides);
        assert_string_equal(c.redis_queue, cases[i].value);
        char *text = rt_config_describe(&c);
        assert_non_null(text);
        check_described(rt_slice_of(text), "redis_queue", "value", cases[i].shown);
        assert_null(strstr(text, "XYZ"));
        rt_free(text);
        rt_config_fini(&c);
    }
}

static const char whole[] = "{\"socketio_port\": 9001, \"default_site\": \"caf\\u00e9\", "
                            "\"allow_cors\": [\"a\", \"b\"], \"x\": {\"y\": [1.5e3, null]}}";

/* Every piece of a good text, ending at an unreadable page: only the whole of it is taken. */
static void test_guard_page(void **state) {
    rt_guard g;
    rt_config c;
    (void)state;
    rt_guard_init(&g, sizeof whole);
    assert_int_equal(rt_config_load(&c, NULL, NULL, why, sizeof why), RT_OK);
    for (size_t n = 0; n < sizeof whole; n++) {
        rt_slice text = rt_guard_tail(&g, whole, n);
        int rc = rt_config_apply(&c, RT_FROM_COMMON_FILE, "text", text, why, sizeof why);
        assert_int_equal(rc, n == sizeof whole - 1 ? RT_OK : RT_EINVAL);
    }
    assert_int_equal(c.socketio_port, 9001);
    assert_string_equal(c.allow_cors, "a,b");
    rt_config_fini(&c);
    rt_guard_fini(&g);
}

static int load_and_describe(void *arg) {
    rt_config c;
    (void)arg;
    int rc = rt_config_load(&c, root, "{\"allow_cors\": [\"a\"]}", why, sizeof why);
    if (rc != RT_OK)
        return rc;
    char *text = rt_config_describe(&c);
    rc = text ? RT_OK : RT_ENOMEM;
    rt_free(text);
    rt_config_fini(&c);
    return rc;
}

static void test_out_of_memory(void **state) {
    (void)state;
    common("{\"socketio_port\": 9001, \"socketio_allowed_origins\": [\"a\", \"b\"]}");
    setenv("FRAPPE_SITE", "a", 1);
    assert_true(rt_faults_each(load_and_describe, NULL) > 10);
}

#define with_bench(test) cmocka_unit_test_setup_teardown(test, make_bench, remove_bench)

int main(void) {
    const struct CMUnitTest tests[] = {
        with_bench(test_defaults),
        with_bench(test_missing_files),
        with_bench(test_order),
        with_bench(test_falsy_in_files),
        with_bench(test_overrides_taken_as_they_are),
        with_bench(test_types),
        with_bench(test_last_member_wins),
        with_bench(test_a_nul_is_refused),
        with_bench(test_environment),
        with_bench(test_environment_errors),
        with_bench(test_syntax_errors),
        with_bench(test_value_errors),
        with_bench(test_words),
        with_bench(test_paths),
        with_bench(test_override_errors),
        with_bench(test_nesting),
        with_bench(test_file_size),
        with_bench(test_unreadable),
        with_bench(test_sites_folder),
        with_bench(test_describe),
        with_bench(test_describe_hides_passwords),
        with_bench(test_guard_page),
        with_bench(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
