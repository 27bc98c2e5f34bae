/* Logging in: what the tests of auth and of asking share. Include <cmocka.h> before this. */
#ifndef RT_TESTS_FRAPPE_LOGIN_H
#define RT_TESTS_FRAPPE_LOGIN_H

#include "frappe/world.h"

#define NS "/a.example"
#define SID "Host: a.example\nCookie: sid=s1\n"
#define USER_INFO "/api/method/frappe.realtime.get_user_info"

static const char *const system_user = "{\"message\":{\"user\":\"x@a\",\"user_type\":\"System "
                                       "User\",\"installed_apps\":[\"frappe\"]}}";
static const char *const website_user =
    "{\"message\":{\"user\":\"w@a\",\"user_type\":\"Website User\"}}";

static inline void assert_starts(const char *text, const char *prefix) {
    if (strncmp(text, prefix, strlen(prefix)) != 0)
        fail_msg("got \"%s\", want \"%s...\"", text, prefix);
}

static inline void assert_accepted(world_client *c) {
    assert_starts(world_heard(c), "0" NS ",{\"sid\":\"");
}

static inline void assert_refused(world_client *c, const char *message) {
    char want[400];
    snprintf(want, sizeof want, "4%s,{\"message\":\"%s\"}", NS, message);
    assert_string_equal(world_heard(c), want);
    assert_true(c->open); /* the connection stays usable */
}

#endif
