/* net/addresses.c: addresses, networks, X-Forwarded-For. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/status.h"
#include "net/addresses.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static const char *text_of(const char *address) {
    static char room[INET6_ADDRSTRLEN];
    return inet_ntop(AF_INET6, address, room, sizeof room);
}

static void addresses(void **state) {
    (void)state;
    static const struct {
        const char *text, *address;
    } cases[] = {
        {"1.2.3.4", "::ffff:1.2.3.4"},
        {" 1.2.3.4 ", "::ffff:1.2.3.4"},
        {"1.2.3.4:567", "::ffff:1.2.3.4"},
        {"2001:db8::1", "2001:db8::1"},
        {"[2001:db8::1]", "2001:db8::1"},
        {"[2001:db8::1]:567", "2001:db8::1"},
        {"::ffff:1.2.3.4", "::ffff:1.2.3.4"},
        {"", NULL},
        {"unknown", NULL},
        {"_hidden", NULL},
        {"1.2.3", NULL},
        {"1.2.3.4.5", NULL},
        {"[::1", "::1"},
        {"[", NULL},
        {":", NULL},
        {"::", "::"},
        {"1:2:3:4:5:6:7:8:9:1:2:3:4:5:6:7:8:9:1:2:3:4:5:6:7:8", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char address[RT_ADDRESS_LEN];
        bool read = rt_address_read(rt_slice_of(cases[i].text), address);
        assert_int_equal(read, cases[i].address != NULL);
        if (read)
            assert_string_equal(text_of(address), cases[i].address);
    }
}

static void sockets(void **state) {
    (void)state;
    char address[RT_ADDRESS_LEN];
    struct sockaddr_storage from = {.ss_family = AF_INET};
    inet_pton(AF_INET, "1.2.3.4", &((struct sockaddr_in *)&from)->sin_addr);
    assert_true(rt_address_of(&from, address));
    assert_string_equal(text_of(address), "::ffff:1.2.3.4");
    from.ss_family = AF_INET6;
    inet_pton(AF_INET6, "2001:db8:1:2:3::4", &((struct sockaddr_in6 *)&from)->sin6_addr);
    assert_true(rt_address_of(&from, address));
    rt_address_cut(address);
    assert_string_equal(text_of(address), "2001:db8:1:2::");
    assert_true(rt_address_read(RT_LIT("1.2.3.4"), address));
    rt_address_cut(address);
    assert_string_equal(text_of(address), "::ffff:1.2.3.4");
    from.ss_family = AF_UNIX;
    assert_false(rt_address_of(&from, address));
}

static void networks(void **state) {
    (void)state;
    static const struct {
        const char *trusted, *in, *out;
    } cases[] = {
        {"loopback", "127.8.9.1", "128.0.0.1"},
        {"loopback", "::1", "::2"},
        {"Loopback, private", "10.255.0.1", "11.0.0.0"},
        {"private", "172.31.255.255", "172.32.0.0"},
        {"private", "192.168.1.1", "127.0.0.1"},
        {"private", "fd00::1", "fe00::1"},
        {"203.0.113.7", "203.0.113.7", "203.0.113.8"},
        {"203.0.113.0/25,2001:db8::/33", "203.0.113.127", "203.0.113.128"},
        {"203.0.113.0/25,2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::"},
        {"0.0.0.0/0", "9.9.9.9", "2001:db8::1"},
        {"::/0", "9.9.9.9", NULL},
        {"none", NULL, "127.0.0.1"},
        {"", NULL, "127.0.0.1"},
        {" , loopback ,", "127.0.0.1", "9.9.9.9"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rt_trusted t;
        rt_slice bad;
        char address[RT_ADDRESS_LEN];
        assert_int_equal(rt_trusted_read(&t, rt_slice_of(cases[i].trusted), &bad), RT_OK);
        if (cases[i].in) {
            assert_true(rt_address_read(rt_slice_of(cases[i].in), address));
            assert_true(rt_trusted_has(&t, address));
        }
        if (cases[i].out) {
            assert_true(rt_address_read(rt_slice_of(cases[i].out), address));
            assert_false(rt_trusted_has(&t, address));
        }
    }
}

static void wrong_networks(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"loopback, nginx", "nginx"},
        {"1.2.3.4/33", "1.2.3.4/33"},
        {"::/129", "::/129"},
        {"1.2.3.4/", "1.2.3.4/"},
        {"1.2.3.4:80", "1.2.3.4:80"},
        {"/8", "/8"},
        {"10.0.0.0/8 , 1.2.3.4/x", "1.2.3.4/x"},
    };
    rt_trusted t;
    rt_slice bad;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(rt_trusted_read(&t, rt_slice_of(cases[i][0]), &bad), RT_EINVAL);
        assert_true(rt_slice_eq(bad, rt_slice_of(cases[i][1])));
    }
    char many[RT_TRUSTED_MAX * 8 + 9] = "";
    for (int i = 0; i <= RT_TRUSTED_MAX; i++)
        strcat(many, "1.2.3.4,");
    assert_int_equal(rt_trusted_read(&t, rt_slice_of(many), &bad), RT_ELIMIT);
    assert_int_equal(t.count, RT_TRUSTED_MAX);
}

static void forwarded(void **state) {
    (void)state;
    static const struct {
        const char *lines[2], *address;
    } cases[] = {
        {{"203.0.113.7", NULL}, "::ffff:203.0.113.7"},
        {{"203.0.113.7, 10.0.0.1, 127.0.0.1", NULL}, "::ffff:203.0.113.7"},
        {{"1.1.1.1, 203.0.113.7, 10.0.0.1", NULL}, "::ffff:203.0.113.7"}, /* the first is a claim */
        {{"nonsense, 203.0.113.7", NULL}, "::ffff:203.0.113.7"},
        {{"1.1.1.1", "203.0.113.7"}, "::ffff:203.0.113.7"},
        {{"203.0.113.7", "10.0.0.1"}, "::ffff:203.0.113.7"},
        {{"192.168.0.9, 10.0.0.1", NULL}, "::ffff:192.168.0.9"}, /* a client beside the proxy */
        {{"[2001:db8::1]:443", NULL}, "2001:db8::1"},
        {{"203.0.113.7, unknown", NULL}, NULL},
        {{"203.0.113.7,", NULL}, NULL},
        {{",", NULL}, NULL},
        {{"", NULL}, NULL},
    };
    rt_trusted t;
    rt_slice bad;
    assert_int_equal(rt_trusted_read(&t, RT_LIT(RT_TRUSTED_DEFAULT), &bad), RT_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rt_http_header headers[3] = {{RT_LIT("Host"), RT_LIT("9.9.9.9")},
                                     {RT_LIT("x-forwarded-for"), rt_slice_of(cases[i].lines[0])}};
        rt_http_request req = {.headers = headers, .header_count = 2};
        char address[RT_ADDRESS_LEN];
        if (cases[i].lines[1])
            headers[req.header_count++] =
                (rt_http_header){RT_LIT("X-Forwarded-For"), rt_slice_of(cases[i].lines[1])};
        bool told = rt_address_forwarded(&req, &t, address);
        assert_int_equal(told, cases[i].address != NULL);
        if (told)
            assert_string_equal(text_of(address), cases[i].address);
    }
    assert_false(rt_address_forwarded(&(rt_http_request){.header_count = 0}, &t, (char[16]){0}));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),      cmocka_unit_test(sockets),   cmocka_unit_test(networks),
        cmocka_unit_test(wrong_networks), cmocka_unit_test(forwarded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
