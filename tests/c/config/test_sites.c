/* Origins allowed by configuration while the server runs: which file counts, when it is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/status.h"
#include "config/sites.h"
#include "support/faults.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COMMON "sites/common_site_config.json"
#define ERP "sites/erp.example/site_config.json"

static char root[64];
static rt_config config;
static rt_config_sites *sites;
static uint64_t now;
static unsigned warnings;
static char warning[400]; /* the last one */

static void count_warnings(enum rt_log_level level, const char *part, const char *text) {
    (void)part;
    if (level != RT_LOG_WARN)
        return;
    warnings++;
    snprintf(warning, sizeof warning, "%s", text);
}

static void path_of(char *out, const char *name) {
    snprintf(out, PATH_MAX, "%s/%s", root, name);
}

static void write_file(const char *name, const char *text) {
    char path[PATH_MAX];
    path_of(path, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

/* Long enough ago that nobody writes it any more. */
static void age(const char *name) {
    char path[PATH_MAX];
    path_of(path, name);
    const struct timespec old[2] = {{.tv_sec = 1700000000}, {.tv_sec = 1700000000}};
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
}

static void open_sites(const char *overrides) {
    char why[300];
    assert_int_equal(rt_config_load(&config, root, overrides, why, sizeof why), RT_OK);
    sites = rt_config_sites_new(&config);
    assert_non_null(sites);
}

static int setup(void **state) {
    char path[PATH_MAX];
    (void)state;
    now = 5000;
    warnings = 0;
    rt_log_set_sink(count_warnings, RT_LOG_DEBUG);
    snprintf(root, sizeof root, "/tmp/rt-sites-XXXXXX");
    if (!mkdtemp(root))
        return -1;
    path_of(path, "sites");
    mkdir(path, 0700);
    path_of(path, "sites/erp.example");
    return mkdir(path, 0700);
}

static const char *const made[] = {
    "config.json", "site_config.json",  COMMON,  "sites/site_config.json",
    ERP,           "sites/erp.example", "sites", ""};

static int teardown(void **state) {
    (void)state;
    rt_config_sites_free(sites);
    sites = NULL;
    rt_config_fini(&config);
    rt_log_set_sink(NULL, RT_LOG_DEBUG);
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        char path[PATH_MAX];
        path_of(path, made[i]);
        remove(path);
    }
    return access(root, F_OK) == 0 ? -1 : 0;
}

/* What is allowed for a site a second later. */
static void assert_origins(const char *site, const char *want) {
    now += RT_CONFIG_LOOK_MS;
    rt_slice got = rt_config_sites_origins(sites, rt_slice_of(site), now);
    if (!rt_slice_eq(got, rt_slice_of(want)))
        fail_msg("%s: \"%.*s\", want \"%s\"", site, (int)got.n, got.n ? got.p : "", want);
}

static uint64_t counted(int which) {
    return rt_config_sites_get_counters(sites)->v[which];
}

/* --- which value counts --- */

static void test_levels(void **state) {
    (void)state;
    static const struct {
        const char *legacy, *common, *site, *overrides, *erp, *other;
    } cases[] = {
        {"{}", "{}", "{}", NULL, "", ""},
        {"{}", "{\"allow_cors\":\"a\"}", "{}", NULL, "a", "a"},
        {"{}", "{\"allow_cors\":[\"a\",\"b\"]}", "{}", NULL, "a,b", "a,b"},
        {"{\"allow_cors\":\"l\"}", "{}", "{}", NULL, "l", "l"},
        {"{\"allow_cors\":\"l\"}", "{\"allow_cors\":\"a\"}", "{}", NULL, "a", "a"},
        /* the site's own value stands in place of the common one, so that it can be narrower */
        {"{}", "{\"allow_cors\":\"*\"}", "{\"allow_cors\":\"s\"}", NULL, "s", "*"},
        {"{}", "{\"allow_cors\":\"*\"}", "{\"allow_cors\":[]}", NULL, "*", "*"},
        /* the two keys add up */
        {"{}", "{\"allow_cors\":\"a\",\"socketio_allowed_origins\":\"b\"}", "{}", NULL, "b,a",
         "b,a"},
        {"{}", "{\"allow_cors\":\"a\"}", "{\"socketio_allowed_origins\":[\"s\",\"t\"]}", NULL,
         "s,t,a", "a"},
        {"{\"socketio_allowed_origins\":\"l\"}", "{\"allow_cors\":\"a\"}", "{\"allow_cors\":\"s\"}",
         NULL, "l,s", "l,a"},
        /* what the caller gives is above all files, for the key he gives */
        {"{}", "{\"allow_cors\":\"a\"}", "{\"allow_cors\":\"s\"}", "{\"allow_cors\":\"c\"}", "c",
         "c"},
        {"{}", "{\"allow_cors\":\"a\"}", "{\"allow_cors\":\"s\"}", "{\"allow_cors\":\"\"}", "", ""},
        {"{}", "{\"allow_cors\":\"a\"}", "{\"allow_cors\":\"s\"}",
         "{\"socketio_allowed_origins\":\"c\"}", "c,s", "c,a"},
        /* falsy: not set */
        {"{}", "{\"allow_cors\":\"a\"}", "{\"allow_cors\":null}", NULL, "a", "a"},
        {"{}", "{\"allow_cors\":\"a\"}", "{\"allow_cors\":0}", NULL, "a", "a"},
        {"{}", "{\"allow_cors\":\"a\"}", "{\"allow_cors\":false}", NULL, "a", "a"},
        {"{}", "{\"allow_cors\":\"a\"}", "{\"allow_cors\":\"\"}", NULL, "a", "a"},
        {"{}", "{\"allow_cors\":\"a\"}", "{\"allow_cors\":{}}", NULL, "a", "a"},
        {"{}", "{\"allow_cors\":\"a\"}", "{\"allow_cors\":0.0}", NULL, "a", "a"},
        /* a list of one empty text is none of these */
        {"{}", "{\"allow_cors\":\"a\"}", "{\"allow_cors\":[\"\"]}", NULL, "", "a"},
        /* other keys of a site's file are not looked at, whatever they say */
        {"{}", "{}", "{\"socketio_port\":\"x\",\"allow_cors\":\"a\"}", NULL, "a", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_file("config.json", cases[i].legacy);
        write_file(COMMON, cases[i].common);
        write_file(ERP, cases[i].site);
        open_sites(cases[i].overrides);
        assert_origins("erp.example", cases[i].erp);
        assert_origins("other.example", cases[i].other);
        assert_int_equal(warnings, 0);
        rt_config_sites_free(sites);
        rt_config_fini(&config);
        sites = NULL;
    }
}

static void test_without_bench(void **state) {
    (void)state;
    char why[300];
    assert_int_equal(rt_config_load(&config, NULL,
                                    "{\"allow_cors\":\"a\",\"socketio_allowed_origins\":\"b\"}",
                                    why, sizeof why),
                     RT_OK);
    sites = rt_config_sites_new(&config);
    assert_origins("erp.example", "b,a");
    assert_int_equal(counted(RT_CONFIG_LOOKS), 0);
}

/* --- when it is read --- */

static void test_changes(void **state) {
    (void)state;
    open_sites(NULL);
    assert_origins("erp.example", ""); /* no file at all */
    write_file(ERP, "{\"allow_cors\":\"https://a\"}");
    assert_origins("erp.example", "https://a");
    write_file(ERP, "{\"allow_cors\":\"https://b\"}"); /* of the same size */
    assert_origins("erp.example", "https://b");
    write_file(COMMON, "{\"socketio_allowed_origins\":\"c\"}");
    assert_origins("erp.example", "c,https://b");
    assert_origins("other.example", "c");
    char from[PATH_MAX], to[PATH_MAX]; /* as careful editors write: a new file in its place */
    write_file("sites/erp.example/new", "{\"allow_cors\":\"https://d\"}");
    path_of(from, "sites/erp.example/new");
    path_of(to, ERP);
    assert_int_equal(rename(from, to), 0);
    assert_origins("erp.example", "c,https://d");
    assert_int_equal(remove(to), 0);
    assert_origins("erp.example", "c");
    assert_int_equal(warnings, 0);
}

static void test_at_most_once_a_second(void **state) {
    (void)state;
    write_file(ERP, "{\"allow_cors\":\"a\"}");
    write_file(COMMON, "{}");
    age(ERP);
    age(COMMON);
    open_sites(NULL);
    assert_origins("erp.example", "a");
    assert_int_equal(counted(RT_CONFIG_READS), 2);
    assert_int_equal(counted(RT_CONFIG_LOOKS), 3); /* and the legacy file, which is not there */
    write_file(ERP, "{\"allow_cors\":\"b\"}");
    now += RT_CONFIG_LOOK_MS - 1;
    for (int i = 0; i < 100; i++)
        assert_true(
            rt_slice_eq(rt_config_sites_origins(sites, RT_LIT("erp.example"), now), RT_LIT("a")));
    assert_int_equal(counted(RT_CONFIG_LOOKS), 3);
    now += 1 - RT_CONFIG_LOOK_MS;
    assert_origins("erp.example", "b");
    assert_int_equal(counted(RT_CONFIG_LOOKS), 6);
    assert_int_equal(counted(RT_CONFIG_READS), 3);
}

/* Within one tick of the clock a file may change twice: a young one is read again. */
static void test_young_files(void **state) {
    (void)state;
    write_file(ERP, "{\"allow_cors\":\"a\"}");
    open_sites(NULL);
    assert_origins("erp.example", "a");
    assert_origins("erp.example", "a");
    assert_int_equal(counted(RT_CONFIG_READS), 2);
    age(ERP);
    for (int i = 0; i < 5; i++)
        assert_origins("erp.example", "a");
    assert_int_equal(counted(RT_CONFIG_READS), 3);
}

/* --- what cannot be read --- */

static void test_unreadable(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "\"allow_cors\"",
        "{\"allow_cors\":\"b\"",
        "{\"allow_cors\":5}",
        "{\"allow_cors\":true}",
        "{\"allow_cors\":{\"a\":1}}",
        "{\"allow_cors\":[\"b\",5]}",
        "{\"socketio_allowed_origins\":\"b\",\"allow_cors\":5}",
        "{\"allow_cors\":\"\\ud800\"}",
        "{\"allow_cors\":\"\377\"}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_file(ERP, "{\"allow_cors\":\"a\"}");
        open_sites(NULL);
        assert_origins("erp.example", "a");
        warnings = 0;
        for (int n = 0; n < 3; n++) {
            write_file(ERP, bad[i]);
            assert_origins("erp.example", "a"); /* as it was */
            assert_int_equal(warnings, 1);      /* said once */
        }
        assert_int_equal(counted(RT_CONFIG_UNREADABLE), 3);
        write_file(ERP, "{\"allow_cors\":\"c\"}");
        assert_origins("erp.example", "c");
        write_file(ERP, bad[i]);
        assert_origins("erp.example", "c");
        assert_int_equal(warnings, 2); /* and once more after it was good */
        rt_config_sites_free(sites);
        rt_config_fini(&config);
        sites = NULL;
    }
}

/* In the words of the parser of the whole configuration. */
static void test_what_is_wrong(void **state) {
    (void)state;
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"{\n\"allow_cors\": 5}", ERP ", line 2: allow_cors is 5, expected a string"},
        {"{\"allow_cors\":[\"b\",5]}",
         ERP ", line 1: allow_cors is a list with values that are not strings, expected a string"},
        {"{\"a\":1,}",
         ERP ", line 1, column 8: not valid JSON: a comma before the closing bracket"},
        {"[]", ERP ", line 1, column 1: expected an object: { ... }"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char want[400];
        snprintf(want, sizeof want,
                 "%s; the origins that it allowed before stay allowed until it can be read",
                 cases[i].why);
        write_file(ERP, "{\"allow_cors\":\"a\"}");
        open_sites(NULL);
        assert_origins("erp.example", "a");
        write_file(ERP, cases[i].text);
        assert_origins("erp.example", "a");
        assert_string_equal(warning, want);
        rt_config_sites_free(sites);
        rt_config_fini(&config);
        sites = NULL;
    }
}

/* Which site's file is looked at is what a client says: one line a second, each file once. */
static void test_broken_files_are_logged_one_by_one(void **state) {
    (void)state;
    write_file(COMMON, "{}");
    open_sites(NULL);
    write_file(COMMON, "{\"allow_cors\":");
    write_file(ERP, "{\"allow_cors\":");
    for (unsigned looks = 1; looks <= 3; looks++) {
        assert_origins("erp.example", "");
        assert_int_equal(warnings, looks < 2 ? looks : 2);
    }
}

/* It is read again though it does not change: it may have been read while memory was short. */
static void test_a_broken_file_is_not_settled(void **state) {
    (void)state;
    write_file(ERP, "{");
    age(ERP);
    open_sites(NULL);
    assert_origins("erp.example", "");
    assert_origins("erp.example", "");
    assert_int_equal(counted(RT_CONFIG_READS), 2);
    assert_int_equal(warnings, 1);
}

static void test_too_large(void **state) {
    (void)state;
    char *text = malloc((1u << 20) + 2);
    assert_non_null(text);
    memset(text, ' ', (1u << 20) + 1);
    memcpy(text, "{\"allow_cors\":\"a\"}", 18);
    text[(1u << 20) + 1] = '\0';
    write_file(ERP, text);
    open_sites(NULL);
    assert_origins("erp.example", "");
    assert_int_equal(warnings, 1);
    text[1u << 20] = '\0';
    write_file(ERP, text);
    assert_origins("erp.example", "a");
    free(text);
}

/* Names lead to folders of sites/ and nowhere else. */
static void test_names(void **state) {
    (void)state;
    static const char *const names[] = {"",   ".",   "..",           "../sites/erp.example",
                                        "/",  "a/",  "erp.example/", "erp.example/../erp.example",
                                        "\n", "\377"};
    write_file(ERP, "{\"allow_cors\":\"a\"}");
    write_file(COMMON, "{\"allow_cors\":\"c\"}");
    write_file("site_config.json", "{\"allow_cors\":\"outside\"}");
    write_file("sites/site_config.json", "{\"allow_cors\":\"above\"}");
    open_sites(NULL);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_origins(names[i], "c");
    now += RT_CONFIG_LOOK_MS;
    rt_slice got = rt_config_sites_origins(sites, rt_slice_make("erp.example\0", 12), now);
    assert_true(rt_slice_eq(got, RT_LIT("c")));
    assert_origins("erp.example", "a");
}

/* However many names are asked about, few are remembered, and none is lost for good. */
static void test_many_names(void **state) {
    (void)state;
    char name[40];
    write_file(ERP, "{\"allow_cors\":\"a\"}");
    age(ERP);
    open_sites(NULL);
    for (int i = 0; i < RT_CONFIG_SITES_MAX + 10; i++) {
        snprintf(name, sizeof name, "n%d.example", i);
        (void)rt_config_sites_origins(sites, rt_slice_of(name), now);
        if (i % 100 == 0)
            (void)rt_config_sites_origins(sites, RT_LIT("erp.example"), now); /* in use: stays */
    }
    assert_int_equal(counted(RT_CONFIG_OVER_MAX), 11);
    assert_int_equal(counted(RT_CONFIG_READS), 1);
    assert_origins("erp.example", "a");
    assert_int_equal(counted(RT_CONFIG_READS), 1);
    for (int i = 0; i < RT_CONFIG_SITES_MAX; i++) {
        snprintf(name, sizeof name, "m%d.example", i);
        (void)rt_config_sites_origins(sites, rt_slice_of(name), now);
    }
    assert_origins("erp.example", "a"); /* had been forgotten, and is read again */
    assert_int_equal(counted(RT_CONFIG_READS), 2);
}

/* --- memory --- */

static int whole_life(void *arg) {
    (void)arg;
    rt_config_sites *s = rt_config_sites_new(&config);
    if (!s)
        return RT_ENOMEM;
    rt_slice got = rt_config_sites_origins(s, RT_LIT("erp.example"), 1);
    bool whole = rt_slice_eq(got, RT_LIT("c,a,b"));
    got = rt_config_sites_origins(s, RT_LIT("erp.example"), 1 + RT_CONFIG_LOOK_MS);
    if (!rt_slice_eq(got, RT_LIT("c,a,b"))) /* what found no memory is tried again */
        fail_msg("%.*s", (int)got.n, got.n ? got.p : "");
    rt_config_sites_free(s);
    return whole ? RT_OK : RT_ENOMEM;
}

static void test_memory(void **state) {
    (void)state;
    write_file(COMMON, "{\"socketio_allowed_origins\":\"c\"}");
    write_file(ERP, "{\"allow_cors\":[\"a\",\"b\"]}");
    age(COMMON);
    age(ERP);
    char why[300];
    assert_int_equal(rt_config_load(&config, root, NULL, why, sizeof why), RT_OK);
    assert_true(rt_faults_each(whole_life, NULL) > 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_levels, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_bench, setup, teardown),
        cmocka_unit_test_setup_teardown(test_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_at_most_once_a_second, setup, teardown),
        cmocka_unit_test_setup_teardown(test_young_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unreadable, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_wrong, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken_files_are_logged_one_by_one, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_broken_file_is_not_settled, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_large, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
