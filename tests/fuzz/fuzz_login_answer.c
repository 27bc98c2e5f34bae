/* Any answer of a web process to the question who somebody is, and any to the question whether he
 * may see a document. The first byte picks the status, the second what was asked. Whatever comes,
 * he is in, refused, or waits; he is never in a room of somebody else. */
#include "frappe/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const int statuses[] = {200, 200, 200, 400, 401, 403, 404, 500, 503, 301, 0};

static void answer_login(world *w, int status, const char *body) {
    world_connect(w, NS, "Host: a.example\nCookie: sid=x\n");
    if (w->calls)
        world_answer(w, status, body);
}

static void answer_permission(world *w, int status, const char *body) {
    world_client *c = session_start(w, "x@a", V16);
    session_emit(c, "[\"doc_subscribe\",\"ToDo\",\"1\"]");
    if (w->calls)
        world_answer(w, status, body);
    world_must(session_room(w, "user:someone-else") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2)
        return 0;
    world w;
    char *body = malloc(size - 1);
    world_must(body);
    memcpy(body, data + 2, size - 2);
    body[size - 2] = '\0';
    int status = statuses[data[0] % (sizeof statuses / sizeof *statuses)];
    world_init(&w, NULL);
    if (data[1] % 2)
        answer_permission(&w, status, body);
    else
        answer_login(&w, status, body);
    world_pass(&w, 1000);
    world_fini(&w);
    free(body);
    return 0;
}
