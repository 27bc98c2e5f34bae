/* Where the local socket is, what its lines mean, and the envelope as it is written for it. */
#define _GNU_SOURCE /* memmem */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/status.h"
#include "base/utf8.h"
#include "json/scan.h"
#include "server/envelope.h"
#include "server/instance.h"
#include "server/local_path.h"
#include "server/requests.h"
#include "support/faults.h"
#include "support/guard.h"

#include <poll.h>
#include <sys/wait.h>

static char path[RT_LOCAL_PATH_SIZE];
static char why[600];

/* --- where --- */

static int path_of(char *bench, char *value) {
    rt_config c = {.bench = bench, .local_socket = value};
    *path = *why = '\0';
    return rt_local_path(&c, path, why, sizeof why);
}

static void test_path(void **state) {
    static const struct {
        const char *bench, *value, *path;
    } cases[] = {
        {"/b", "", "/b/config/frappe_rt.sock"},
        {"/b", "x/y", "/b/x/y"},
        {"/b", "/run/z", "/run/z"},
        {NULL, "/run/z", "/run/z"},
        {"/b", "offside", "/b/offside"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(path_of((char *)cases[i].bench, (char *)cases[i].value), RT_OK);
        assert_string_equal(path, cases[i].path);
        assert_string_equal(why, "");
    }
}

static void test_no_path(void **state) {
    static const char *const off[] = {"off", "Off", "false", "no", "0"};
    (void)state;
    for (size_t i = 0; i < sizeof off / sizeof off[0]; i++) {
        assert_int_equal(path_of("/b", (char *)off[i]), RT_ENOENT);
        assert_non_null(strstr(why, off[i]));
    }
    assert_int_equal(path_of(NULL, ""), RT_ENOENT);
    assert_int_equal(path_of(NULL, "x/y"), RT_EINVAL);
    assert_non_null(strstr(why, "frappe_rt_local_socket"));
}

/* As long as sun_path, and one more. */
static void test_long_path(void **state) {
    char value[120], expected[40];
    (void)state;
    memset(value, 'x', sizeof value);
    value[0] = '/';
    value[107] = '\0';
    assert_int_equal(path_of("/b", value), RT_OK);
    assert_string_equal(path, value);
    value[107] = 'x';
    value[108] = '\0';
    assert_int_equal(path_of("/b", value), RT_EINVAL);
    snprintf(expected, sizeof expected, " has 108 bytes, ");
    assert_non_null(strstr(why, value));
    assert_non_null(strstr(why, expected));
    assert_non_null(strstr(why, "107"));
    assert_non_null(strstr(why, "frappe_rt_local_socket"));
    value[106] = '\0'; /* with "/b/" before it: 108 */
    assert_int_equal(path_of("/b", value + 1), RT_EINVAL);
}

static void test_path_as_json(void **state) {
    char bench[4000];
    (void)state;
    rt_buf out = RT_BUF_INIT;
    rt_config c = {.bench = "/b", .local_socket = ""};
    assert_int_equal(rt_local_put_path(&c, &out), RT_OK);
    rt_buf_putc(&out, '\0');
    assert_string_equal(out.p, "\"local_socket\":\"/b/config/frappe_rt.sock\"");
    rt_buf_fini(&out);
    c.bench = "/\xff";
    assert_int_equal(rt_local_put_path(&c, &out), RT_OK);
    assert_true(rt_slice_starts(rt_buf_slice(&out), RT_LIT("\"no_local_socket\":")));
    assert_int_equal(rt_utf8_valid(rt_buf_slice(&out)), true);
    rt_buf_fini(&out);
    memset(bench, 0xc3, sizeof bench); /* two-byte characters, all the way */
    for (size_t i = 1; i < sizeof bench; i += 2)
        bench[i] = (char)0xa9;
    bench[sizeof bench - 1] = '\0';
    bench[sizeof bench - 2] = 'x';
    c.bench = bench;
    assert_int_equal(rt_local_put_path(&c, &out), RT_OK);
    assert_non_null(memmem(out.p, out.n, "at most 107", 11));
    rt_buf_fini(&out);
}

/* --- what a line means --- */

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

static int do_command(const char *line, rt_buf *answer) {
    static rt_instance in;
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
                      "{\"error\":\"no such command; there are forget, health, host, hosts, "
                      "reload, stats\"}");
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
                      "{\"error\":\"forget takes a site and perhaps a user, both texts\"}");
}

/* Refused until somebody takes requests; equal ones are one; a forked child takes none. */
static void test_reload(void **state) {
    (void)state;
    static const char refused[] = "{\"error\":\"no handler hosts are supervised here\"}";
    int fd, again;
    expect_answer("{\"rt\":\"reload\"}", RT_OK, refused);
    assert_int_equal(rt_requests_open(&fd), RT_OK);
    assert_int_equal(rt_requests_open(&again), RT_OK);
    assert_int_equal(fd, again);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 0), 0);
    assert_int_equal(rt_requests_take(), 0);
    expect_answer("{\"rt\":\"reload\"}", RT_OK, "{\"ok\":true}");
    expect_answer("{\"rt\":\"reload\"}", RT_OK, "{\"ok\":true}");
    assert_int_equal(poll(&p, 1, 0), 1);
    pid_t child = fork();
    if (child == 0)
        _exit(rt_requests_put(RT_REQUEST_RELOAD) == RT_ENOENT && rt_requests_take() == 0 ? 0 : 1);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(rt_requests_take(), RT_REQUEST_RELOAD);
    assert_int_equal(rt_requests_take(), 0);
    assert_int_equal(poll(&p, 1, 0), 0);
    expect_answer("{\"rt\":\"reload\"}", RT_OK, "{\"ok\":true}");
    rt_requests_close();
    assert_int_equal(poll(&p, 1, 0), 0);
    expect_answer("{\"rt\":\"reload\"}", RT_OK, refused);
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

/* --- the envelope --- */

static void expect_envelope(rt_slice mark, rt_event e, const char *expected) {
    rt_buf out = RT_BUF_INIT;
    assert_int_equal(rt_envelope_put(&out, mark, &e), RT_OK);
    assert_int_equal(out.n, strlen(expected));
    assert_memory_equal(out.p, expected, out.n);
    rt_buf_fini(&out);
}

static void test_envelope(void **state) {
    (void)state;
    expect_envelope(
        RT_EMPTY,
        (rt_event){RT_LIT("s"), RT_LIT("r\n\"\\"), RT_LIT("\xc3\xa9"), RT_LIT("{\"a\":1}")},
        "{\"event\":\"\xc3\xa9\",\"message\":{\"a\":1},\"namespace\":\"s\",\"room\":"
        "\"r\\n\\\"\\\\\"}");
    expect_envelope(RT_LIT("\"m\":1,"), (rt_event){RT_EMPTY, RT_EMPTY, RT_LIT("e"), RT_LIT("null")},
                    "{\"m\":1,\"event\":\"e\",\"message\":null,\"namespace\":null,\"room\":null}");
    expect_envelope(
        RT_EMPTY, (rt_event){RT_LIT("s"), RT_EMPTY, RT_LIT("e"), RT_LIT("\n[\n1,\n\n\"\\n\"]\n")},
        "{\"event\":\"e\",\"message\": [ 1,  \"\\n\"] ,\"namespace\":\"s\",\"room\":null}");
}

static int put_envelope(void *arg) {
    rt_buf out = RT_BUF_INIT;
    char message[3000];
    (void)arg;
    memset(message, '\n', sizeof message);
    rt_event e = {RT_LIT("s"), RT_LIT("r"), RT_LIT("e"), rt_slice_make(message, sizeof message)};
    int status = rt_envelope_put(&out, RT_EMPTY, &e);
    assert_true(status != RT_OK || !memchr(out.p, '\n', out.n));
    rt_buf_fini(&out);
    return status;
}

static void test_envelope_out_of_memory(void **state) {
    (void)state;
    assert_true(rt_faults_each(put_envelope, NULL) >= 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path),
        cmocka_unit_test(test_no_path),
        cmocka_unit_test(test_long_path),
        cmocka_unit_test(test_path_as_json),
        cmocka_unit_test(test_command_or_envelope),
        cmocka_unit_test(test_every_prefix),
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_forget_wants_texts),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_commands_out_of_memory),
        cmocka_unit_test(test_envelope),
        cmocka_unit_test(test_envelope_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
