/* net/curl_library.c on a machine without libcurl: nothing is asked, the log says why, once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/status.h"
#include "net/curl_library.h"
#include "net/webclient.h"
#include "support/loop_until.h"

#include <stdio.h>
#include <string.h>

/* In front of the real ones (Makefile: WRAPPED_test_no_libcurl). */
void *__wrap_dlopen(const char *name, int flags);
char *__wrap_dlerror(void);

void *__wrap_dlopen(const char *name, int flags) {
    (void)flags;
    assert_string_equal(name, "libcurl.so.4");
    return NULL;
}

char *__wrap_dlerror(void) {
    static char why[] = "libcurl.so.4: cannot open shared object file";
    return why;
}

static char last_line[512];
static unsigned lines;

static void sink(enum rt_log_level level, const char *part, const char *text) {
    (void)level;
    (void)part;
    lines++;
    snprintf(last_line, sizeof last_line, "%s", text);
}

static void never(void *arg, const rt_web_answer *answer) {
    (void)arg;
    (void)answer;
    fail();
}

static void nothing_is_asked(void **state) {
    (void)state;
    rt_loop loop;
    rt_web_opts opts;
    rt_web_call *call;
    rt_loop_begin(&loop);
    rt_log_set_sink(sink, RT_LOG_INFO);
    rt_web_opts_default(&opts);
    rt_web *web = rt_web_new(&loop, &opts);
    assert_non_null(web);
    for (int i = 0; i < 3; i++)
        assert_int_equal(rt_web_get(web, "http://127.0.0.1:1/", NULL, 0, never, NULL, &call),
                         RT_EIO);
    assert_int_equal(lines, 1);
    assert_string_equal(last_line, "cannot ask the web process anything: libcurl.so.4: cannot open "
                                   "shared object file (Debian's package is libcurl4)");
    assert_non_null(rt_curl_load()); /* it is not tried again */
    rt_web_close(web);
    rt_loop_end(&loop);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_is_asked)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
