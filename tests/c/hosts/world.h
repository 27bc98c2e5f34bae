/* Handler hosts without a socket: what they are told is kept, what they say is a line of text.
 * Around them is the whole of frappe/world.h.
 *
 *     scene s;
 *     scene_init(&s);
 *     fake_host *h = scene_attach(&s, "\"id\":\"A\",\"events\":[\"*\"]");
 *     scene_told(h)      the lines since the last call, each with its newline: it has read them
 *     scene_says(h, "{\"op\":\"sync\",\"q\":1}");
 *     scene_fini(&s);
 */
#ifndef RT_TESTS_HOSTS_WORLD_H
#define RT_TESTS_HOSTS_WORLD_H

#include "base/random.h"
#include "frappe/session.h"
#include "hosts/hosts.h"

#include <stdarg.h>

#define SCENE_HOSTS 64 /* over its life */

typedef struct fake_host {
    rt_host *host;
    char *told;
    size_t told_n, told_cap;
    size_t owed_more; /* bytes that it is said to owe besides */
    bool open;
    char *shown;
} fake_host;

typedef struct scene {
    world w;
    rt_hosts *hosts;
    fake_host fake[SCENE_HOSTS];
    unsigned fakes;
    rt_buf answer; /* to the last one turned away */
} scene;

static inline void scene_link_say(void *peer, rt_slice line) {
    fake_host *f = peer;
    world_must(f->open && !memchr(line.p, '\n', line.n) && !memchr(line.p, '\r', line.n));
    if (f->told_n + line.n + 2 > f->told_cap) {
        f->told_cap = (f->told_n + line.n + 2) * 2;
        f->told = realloc(f->told, f->told_cap);
        world_must(f->told);
    }
    memcpy(f->told + f->told_n, line.p, line.n);
    f->told_n += line.n;
    f->told[f->told_n++] = '\n';
}

static inline size_t scene_link_owed(const void *peer) {
    const fake_host *f = peer;
    return f->told_n + f->owed_more;
}

static inline void scene_link_end(void *peer) {
    fake_host *f = peer;
    world_must(f->open);
    f->open = false;
    rt_host_gone(f->host);
}

static const rt_host_link scene_link = {scene_link_say, scene_link_owed, scene_link_end};

static const rt_hosts_opts scene_opts = {.web = {"http://web:1", 12}, .threads = 4};

static inline bool scene_try_init(scene *s) {
    memset(s, 0, sizeof *s);
    if (!world_try_init(&s->w, NULL))
        return false;
    s->hosts = rt_hosts_new(s->w.frappe, s->w.io, &s->w.timers, world_now, &s->w, &scene_link);
    if (s->hosts && rt_hosts_set_opts(s->hosts, &scene_opts) == RT_OK)
        return true;
    rt_hosts_free(s->hosts);
    world_fini(&s->w);
    return false;
}

static inline void scene_init(scene *s) {
    world_must(scene_try_init(s));
}

static inline void scene_leaves(fake_host *f) {
    if (f->open)
        scene_link_end(f);
}

static inline void scene_fini(scene *s) {
    for (unsigned i = 0; i < s->fakes; i++) {
        scene_leaves(&s->fake[i]);
        free(s->fake[i].told);
        free(s->fake[i].shown);
    }
    world_fini(&s->w);
    rt_hosts_free(s->hosts);
    rt_buf_fini(&s->answer);
}

/* NULL: turned away, s->answer says why. `members` follow `"rt":"host"`. */
static inline fake_host *scene_try_attach(scene *s, const char *members) {
    char line[RT_HOST_APPS_MAX + 4096];
    world_must(s->fakes < SCENE_HOSTS);
    fake_host *f = &s->fake[s->fakes++];
    int n = snprintf(line, sizeof line, "{\"rt\":\"host\",%s}", members);
    world_must(n < (int)sizeof line);
    rt_buf_clear(&s->answer);
    if (rt_host_attach(s->hosts, rt_slice_make(line, (size_t)n), &f->host, &s->answer) != RT_OK)
        return NULL;
    f->open = true;
    rt_host_begin(f->host, f);
    return f;
}

static inline const char *scene_told(fake_host *f) {
    free(f->shown);
    f->shown = calloc(1, f->told_n + 1);
    world_must(f->shown);
    if (f->told_n)
        memcpy(f->shown, f->told, f->told_n);
    f->told_n = 0;
    if (f->open)
        rt_host_room(f->host);
    return f->shown;
}

/* Version 2, welcome already read. */
static inline fake_host *scene_attach(scene *s, const char *members) {
    char all[4000];
    snprintf(all, sizeof all, "\"version\":2,%s", members);
    fake_host *f = scene_try_attach(s, all);
    world_must(f && strncmp(f->told, "{\"op\":\"welcome\"", 15) == 0);
    size_t n = (size_t)((char *)memchr(f->told, '\n', f->told_n) - f->told) + 1;
    memmove(f->told, f->told + n, f->told_n - n);
    f->told_n -= n;
    return f;
}

static inline void scene_says(fake_host *f, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static inline void scene_says(fake_host *f, const char *fmt, ...) {
    char line[4096];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    world_must(f->open && n < (int)sizeof line);
    rt_host_line(f->host, rt_slice_make(line, (size_t)n));
}

/* The socket that came last into the namespace, and its id as text. */
static inline rt_sio_socket *scene_last(scene *s, char id[RT_ID_LEN + 1]) {
    rt_sio_ns *ns = rt_sio_ns_find(s->w.io, RT_LIT(NS));
    rt_sio_socket *last = rt_sio_ns_socket(ns, rt_sio_ns_size(ns) - 1);
    memcpy(id, rt_sio_socket_id(last).p, RT_ID_LEN);
    id[RT_ID_LEN] = '\0';
    return last;
}

static inline uint64_t scene_counter(const scene *s, int which) {
    return rt_hosts_get_counters(s->hosts)->v[which];
}

#endif
