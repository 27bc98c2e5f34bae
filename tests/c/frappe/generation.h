/* A web process as each generation of Frappe has it: what it answers to which credential, by which
 * methods, with which refusals. Include <cmocka.h> before this.
 *
 *   V15_OLD   user_type is null unless a session was resumed: a token says nothing about it
 *   V15       can_subscribe_doctype, can_subscribe_doc
 *   V16       has_permission, installed_apps
 *   V16_2026  get_user_info answers {} unless the request carries the socket secret
 *   DEVELOP   the same; has_permission knows ptype as well */
#ifndef RT_TESTS_FRAPPE_GENERATION_H
#define RT_TESTS_FRAPPE_GENERATION_H

#include "frappe/world.h"

enum generation {
    GENERATION_V15_OLD,
    GENERATION_V15,
    GENERATION_V16,
    GENERATION_V16_2026,
    GENERATION_DEVELOP,
    GENERATIONS
};

static const struct generation_facts {
    const char *name;
    bool type_for_tokens, installed_apps, wants_secret, has_permission;
} generations[GENERATIONS] = {
    [GENERATION_V15_OLD] = {"old v15", false, false, false, false},
    [GENERATION_V15] = {"v15", true, false, false, false},
    [GENERATION_V16] = {"v16", true, true, false, true},
    [GENERATION_V16_2026] = {"v16 of 2026", true, true, true, true},
    [GENERATION_DEVELOP] = {"develop", true, true, true, true},
};

/* Who is behind a credential. Frappe takes a session that it does not know, or no more, for a
 * guest; a header that does not lead to a user is an error. */
static const struct generation_login {
    const char *sid, *authorization;
    int status;
    const char *user, *user_type;
} generation_logins[] = {
    {"ada", "", 200, "ada@a", "System User"},
    {"", "token key:secret", 200, "ada@a", "System User"},
    {"", "Basic a2V5OnNlY3JldA==", 200, "ada@a", "System User"},
    {"", "Bearer good", 200, "ada@a", "System User"},
    {"grace", "", 200, "grace@a", "System User"},
    {"customer", "", 200, "customer@a", "Website User"},
    {"", "token customer:secret", 200, "customer@a", "Website User"},
    {"Guest", "", 200, "Guest", NULL},
    {"expired", "", 200, "Guest", NULL},
    {"disabled", "", 417, NULL, NULL},
    {"", "word", 200, "Guest", NULL}, /* not two words: no credential at all */
    {"", "token key:wrong", 401, NULL, NULL},
    {"", "token nonsense", 401, NULL, NULL},
    {"", "Bearer expired", 401, NULL, NULL},
    {"", "Basic ?", 400, NULL, NULL}, /* no base64 */
};

static inline const struct generation_login *generation_who(const world_call *c) {
    for (size_t i = 0; i < sizeof generation_logins / sizeof *generation_logins; i++) {
        const struct generation_login *l = &generation_logins[i];
        if (strcmp(c->sid, l->sid) == 0 && strcmp(c->authorization, l->authorization) == 0)
            return l;
    }
    fail_msg("nobody has sid=%s, Authorization: %s", c->sid, c->authorization);
    return NULL;
}

static inline void generation_user_info(world *w, const struct generation_facts *g) {
    const world_call *c = w->calls;
    const struct generation_login *l = generation_who(c);
    char type[40] = "null", body[300];
    if (!w->secret && g->wants_secret)
        w->secret = "made-by-web"; /* at the first get_user_info */
    if (l->status == 200 && g->wants_secret && (!*c->secret || strcmp(c->secret, w->secret) != 0)) {
        world_answer(w, 200, "{\"message\":{}}");
        return;
    }
    if (l->status != 200) {
        world_answer(w, l->status, "{\"exc_type\":\"AuthenticationError\"}");
        return;
    }
    if (l->user_type && (g->type_for_tokens || *l->sid))
        snprintf(type, sizeof type, "\"%s\"", l->user_type);
    snprintf(body, sizeof body, "{\"message\":{\"user\":\"%s\",\"user_type\":%s%s}}", l->user, type,
             g->installed_apps ? ",\"installed_apps\":[\"frappe\",\"erpnext\"]" : "");
    world_answer(w, 200, body);
}

/* Doctype "Open" is everybody's, "Desk" is for who is no guest, anything else nobody's; a document
 * whose name begins with "missing" is not there. */
static inline void generation_permission(world *w, const char *query) {
    const struct generation_login *l = generation_who(w->calls);
    bool may =
        strncmp(query, "doctype=Open", 12) == 0 ||
        (strncmp(query, "doctype=Desk", 12) == 0 && l->user && strcmp(l->user, "Guest") != 0);
    if (strstr(query, "name=missing"))
        world_answer(w, 404, "{\"exc_type\":\"DoesNotExistError\"}");
    else if (!may)
        world_answer(w, 403, "{\"exc_type\":\"PermissionError\"}");
    else
        world_answer(w, 200, "{\"message\":true}");
}

/* True when the generation has the method, with these arguments. */
static inline bool generation_has(const struct generation_facts *g, const char *method) {
    if (g->has_permission)
        return strncmp(method, "has_permission?", 15) == 0 && strstr(method, "&name=");
    return strncmp(method, "can_subscribe_doctype?", 22) == 0 ||
           (strncmp(method, "can_subscribe_doc?", 18) == 0 && strstr(method, "&docname="));
}

/* Answers everything that is asked. */
static inline void generation_answer(world *w, enum generation which) {
    static const char api[] = "/api/method/frappe.realtime.";
    const struct generation_facts *g = &generations[which];
    while (w->calls) {
        assert_int_equal(strncmp(w->calls->path, api, sizeof api - 1), 0);
        assert_string_equal(w->calls->site, "a.example");
        const char *method = w->calls->path + sizeof api - 1;
        if (strcmp(method, "get_user_info") == 0)
            generation_user_info(w, g);
        else if (generation_has(g, method))
            generation_permission(w, strchr(method, '?') + 1);
        else /* "Failed to get method for command" */
            world_answer(w, 417, "{\"exc_type\":\"ValidationError\"}");
    }
}

#endif
