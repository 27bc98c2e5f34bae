/* What a client sends, event by event, while the web process answers one thing and another. The
 * input is lines: `[...]` is an event of the first tab, `+[...]` of the second; any other first
 * byte picks what happens: an answer of the web process, time, a forgetting, a leaving. No event
 * may get a socket into a room of another kind than its own. */
#include "frappe/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct scene {
    world w;
    world_client *tab[2];
} scene;

static void say(scene *s, int tab, rt_slice event) {
    char packet[2048];
    world_client *c = s->tab[tab];
    if (!c->open || event.n == 0 || event.n > sizeof packet - sizeof NS - 2)
        return;
    int head = snprintf(packet, sizeof packet, "2" NS ",");
    memcpy(packet + head, event.p, event.n);
    world_say_n(c, packet, (size_t)head + event.n);
}

static void answer(scene *s, char how) {
    static const struct {
        int status;
        const char *body;
    } answers[] = {{200, "{\"message\":true}"},
                   {200, "{\"message\":false}"},
                   {403, ""},
                   {404, ""},
                   {503, ""},
                   {200, "<html>"}};
    unsigned i = (unsigned char)how % (sizeof answers / sizeof *answers);
    if (s->w.calls && !strstr(s->w.calls->path, "get_user_info"))
        world_answer(&s->w, answers[i].status, answers[i].body);
}

static void act(scene *s, rt_slice line) {
    switch (line.p[0]) {
    case '[':
        say(s, 0, line);
        break;
    case '+':
        say(s, 1, rt_slice_from(line, 1));
        break;
    case '>':
        answer(s, line.n > 1 ? line.p[1] : 0);
        break;
    case '.':
        world_pass(&s->w, line.n > 1 ? (unsigned char)line.p[1] * 20u : 20u);
        break;
    case '!':
        rt_frappe_forget(s->w.frappe, RT_LIT("a.example"), RT_EMPTY);
        break;
    case 'x':
        if (s->tab[1]->open)
            world_leave(s->tab[1]);
        break;
    case '1':
        if (s->tab[0]->open)
            world_say(s->tab[0], "1" NS ",");
        break;
    default:
        break;
    }
    world_turn(&s->w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static scene s;
    world_init(&s.w, NULL);
    for (int i = 0; i < 2; i++)
        s.tab[i] = session_start(&s.w, i ? "y@a" : "x@a", V16);
    world_client *other = session_start(&s.w, "z@a", V16);
    rt_slice rest = rt_slice_make(data, size);
    while (rest.n > 0) {
        rt_slice line = rt_slice_make(rest.p, rt_slice_find(rest, '\n'));
        if (line.n > 0)
            act(&s, line);
        rest = rt_slice_from(rest, line.n + 1);
    }
    /* nobody has slipped into the rooms of another, and nobody was disturbed */
    world_must(session_room(&s.w, "user:z@a") == 1);
    world_must(session_room(&s.w, "website") <= 3);
    world_must(other->open && world_heard(other)[0] == '\0');
    world_fini(&s.w);
    return 0;
}
