/* What a line of the local socket means, and what its commands answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/status.h"
#include "json/scan.h"
#include "server/instance.h"
#include "support/faults.h"
#include "support/guard.h"

#include <string.h>

static void expect_command(const char *line, const char *command) {
    rt_guard g;
    rt_guard_init(&g, 200);
    rt_slice text = rt_guard_tail(&g, line, strlen(line));
    rt_local_request request = rt_local_parse(text);
    assert_ptr_equal(request.line.p, text.p);
    assert_int_equal(request.line.n, text.n);
    assert_int_equal(request.command.n, strlen(command));
    if (request.command.n > 0)
        assert_memory_equal(request.command.p, command, request.command.n);
    rt_guard_fini(&g);
}

static void test_command_or_envelope(void **state) {
    (void)state;
    expect_command("{\"rt\":\"stats\"}", "\"stats\"");
    expect_command(" { \"site\" : \"x\" , \"rt\" : \"a\\nb\" } \r", "\"a\\nb\"");
    expect_command("{\"rt\":1,\"rt\":2}", "2");
    expect_command("{\"rt\":null}", "null");
    expect_command("{\"event\":\"rt\",\"message\":{\"rt\":1}}", "");
    expect_command("{\"event\":\"e\",\"message\":1}", "");
    expect_command("[{\"rt\":1}]", "");
    expect_command("\"rt\"", "");
    expect_command("{\"rt\":", "");
    expect_command("{\"rt\":NaN}", "");
    expect_command("", "");
}

/* Of a good command each beginning is none, and reads nothing beyond its end. */
static void test_every_prefix(void **state) {
    static const char text[] = "{\"rt\":\"health\",\"a\":[1,{\"b\":\"c\"}]}";
    rt_guard g;
    (void)state;
    rt_guard_init(&g, sizeof text);
    for (size_t n = 0; n < sizeof text; n++) {
        rt_local_request request = rt_local_parse(rt_guard_tail(&g, text, n));
        assert_int_equal(request.command.n > 0, n == sizeof text - 1);
    }
    rt_guard_fini(&g);
}

static int reload_status;
static unsigned reloads;

static int reload_handlers(void) {
    reloads++;
    return reload_status;
}

static int do_command(const char *line, rt_buf *answer) {
    static rt_instance in = {.around.reload_handlers = reload_handlers};
    rt_local_request request = rt_local_parse(rt_slice_of(line));
    assert_true(request.command.n > 0);
    return rt_instance_do_command(&in, &request, answer);
}

static void expect_answer(const char *line, int status, const char *expected) {
    rt_buf answer = RT_BUF_INIT;
    assert_int_equal(do_command(line, &answer), status);
    assert_int_equal(rt_json_check(rt_buf_slice(&answer), RT_JSON_STRICT, NULL, NULL), RT_OK);
    assert_int_equal(answer.n, strlen(expected));
    assert_memory_equal(answer.p, expected, answer.n);
    assert_null(memchr(answer.p, '\n', answer.n));
    rt_buf_fini(&answer);
}

static void test_commands(void **state) {
    (void)state;
    expect_answer("{\"rt\":\"health\"}", RT_OK, "{\"ok\":true,\"degraded\":null}");
    expect_answer("{\"rt\":\"\\u0068ealth\"}", RT_OK, "{\"ok\":true,\"degraded\":null}");
    static const char *const unknown[] = {"{\"rt\":\"x\"}", "{\"rt\":1}", "{\"rt\":null}",
                                          "{\"rt\":\"health \"}", "{\"rt\":{\"rt\":\"health\"}}"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        expect_answer(unknown[i], RT_EINVAL,
                      "{\"error\":\"there is no such command; the commands are figures, forget, "
                      "health, host, hosts, "
                      "metrics, reload, stats\"}");
}

static void test_forget_wants_texts(void **state) {
    static const char *const bad[] = {
        "{\"rt\":\"forget\"}",
        "{\"rt\":\"forget\",\"site\":1}",
        "{\"rt\":\"forget\",\"site\":\"\"}",
        "{\"rt\":\"forget\",\"site\":\"\",\"user\":\"u\"}",
        "{\"rt\":\"forget\",\"site\":\"s\",\"user\":null}",
        "{\"rt\":\"forget\",\"site\":\"\\ud800\"}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect_answer(bad[i], RT_EINVAL,
                      "{\"error\":\"forget needs a site and may have a user, both strings\"}");
}

/* The process is asked, whoever that is; it may have nobody to reload. */
static void test_reload(void **state) {
    (void)state;
    reload_status = RT_ENOENT;
    expect_answer("{\"rt\":\"reload\"}", RT_OK,
                  "{\"error\":\"no handler hosts are supervised here\"}");
    reload_status = RT_OK;
    expect_answer("{\"rt\":\"reload\"}", RT_OK, "{\"ok\":true}");
    assert_int_equal(reloads, 2);
}

static int refuse(void *arg) {
    rt_buf answer = RT_BUF_INIT;
    (void)arg;
    int status = do_command("{\"rt\":\"x\"}", &answer);
    rt_buf_clear(&answer);
    if (status == RT_EINVAL)
        status = do_command("{\"rt\":\"forget\",\"site\":\"s\",\"user\":1}", &answer);
    rt_buf_fini(&answer);
    return status == RT_EINVAL ? RT_OK : status;
}

static void test_commands_out_of_memory(void **state) {
    (void)state;
    assert_true(rt_faults_each(refuse, NULL) >= 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command_or_envelope),
        cmocka_unit_test(test_every_prefix),
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_forget_wants_texts),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_commands_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
