/* Clients that are logged in already, for tests of what comes after. Include world.h's needs first.
 */
#ifndef RT_TESTS_FRAPPE_SESSION_H
#define RT_TESTS_FRAPPE_SESSION_H

#include "frappe/world.h"

#define NS "/a.example"

enum session_generation { V15, V16 };

/* A logged-in client: his session id is his name. */
static inline world_client *session_start(world *w, const char *user, enum session_generation g) {
    char headers[200], body[300];
    snprintf(headers, sizeof headers, "Host: a.example\nCookie: sid=%s\n", user);
    world_client *c = world_connect(w, NS, headers);
    snprintf(body, sizeof body, "{\"message\":{\"user\":\"%s\",\"user_type\":\"System User\"%s}}",
             user, g == V16 ? ",\"installed_apps\":[\"frappe\"]" : "");
    if (w->calls) {
        world_must(strstr(w->calls->path, "get_user_info"));
        world_answer(w, 200, body);
    }
    world_must(strncmp(world_heard(c), "0" NS ",", strlen(NS) + 2) == 0);
    return c;
}

/* Sends an event of the namespace: `event` is the JSON array. */
static inline void session_emit(world_client *c, const char *event) {
    char *packet = malloc(strlen(event) + sizeof NS + 2);
    world_must(packet);
    sprintf(packet, "2" NS ",%s", event);
    world_say(c, packet);
    free(packet);
    world_turn(c->w);
}

/* How many sockets are in a room. */
static inline uint32_t session_room(const world *w, const char *room) {
    const rt_sio_ns *ns = rt_sio_ns_find(w->io, RT_LIT(NS));
    return ns ? rt_sio_room_size(ns, rt_slice_of(room)) : 0;
}

/* Allows everything that is being asked. */
static inline void session_allow(world *w) {
    while (w->calls)
        world_answer(w, 200, "{\"message\":true}");
}

#endif
