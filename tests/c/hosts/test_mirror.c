/* Whatever clients and hosts do, a mirror ends with what is true, and every event comes to exactly
 * one of the hosts that replace each other, in order: random lives from fixed seeds, each told to a
 * simple model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "json/scan.h"
#include "hosts/state.h"
#include "hosts/world.h"

#define SEEDS 40
#define STEPS 1500
#define CLIENTS 30
#define SOCKETS 2000 /* that ever were */
#define ROOMS 12

typedef struct known {
    char id[RT_ID_LEN + 1];
    bool there;
    bool rooms[ROOMS];
    unsigned others; /* rooms of no number */
} known;

/* What one host has made of its lines. */
typedef struct model {
    fake_host *host;
    known socket[SOCKETS];
    unsigned count;
    int last[CLIENTS]; /* number of the last event */
    bool draining;
} model;

typedef struct life {
    scene s;
    uint32_t random;
    world_client *client[CLIENTS];
    char id[CLIENTS][RT_ID_LEN + 1];
    int emitted[CLIENTS]; /* events so far */
    uint8_t *seen[CLIENTS];
    model *models[SCENE_HOSTS];
    unsigned model_count;
} life;

static uint32_t draw(life *l, uint32_t below) {
    l->random ^= l->random << 13;
    l->random ^= l->random >> 17;
    l->random ^= l->random << 5;
    return l->random % below;
}

/* --- the model --- */

static known *find(model *m, rt_slice id) {
    for (unsigned i = m->count; i-- > 0;)
        if (memcmp(m->socket[i].id, id.p, RT_ID_LEN) == 0)
            return &m->socket[i];
    return NULL;
}

static rt_slice text_of(rt_slice line, const char *key) {
    rt_slice text = RT_EMPTY;
    return rt_json_str_plain(rt_json_get(line, rt_slice_of(key)), &text) ? text : RT_EMPTY;
}

/* The number of a room "room N", or ROOMS. */
static unsigned number_of(rt_slice room) {
    unsigned long long n;
    bool numbered = rt_slice_starts(room, RT_LIT("room ")) &&
                    rt_slice_to_u64(rt_slice_from(room, 5), ROOMS - 1, &n) == RT_OK;
    return numbered ? (unsigned)n : ROOMS;
}

static void set_room(known *k, rt_slice room, bool in) {
    unsigned n = number_of(room);
    if (n == ROOMS) {
        k->others += in ? 1 : UINT32_MAX;
        return;
    }
    assert_int_not_equal(k->rooms[n], in); /* no join or leave is told twice */
    k->rooms[n] = in;
}

static void note_connect(model *m, rt_slice line, rt_slice id) {
    rt_json_iter it;
    rt_slice room;
    assert_null(find(m, id)); /* told once */
    assert_true(rt_json_get(line, RT_LIT("query")).n > 0);
    assert_true(m->count < SOCKETS);
    known *k = &m->socket[m->count++];
    memcpy(k->id, id.p, RT_ID_LEN);
    k->there = true;
    assert_int_equal(rt_json_iter_init(&it, rt_json_get(line, RT_LIT("rooms"))), RT_OK);
    while (rt_json_next(&it, &room))
        set_room(k, rt_slice_make(room.p + 1, room.n - 2), true);
}

static void note_event(life *l, model *m, rt_slice line) {
    int who = -1, number = -1;
    rt_slice a = rt_json_get(line, RT_LIT("a"));
    assert_int_equal(sscanf(a.p, "[%d,%d]", &who, &number), 2);
    assert_false(m->draining);
    assert_true(number > m->last[who]);
    m->last[who] = number;
    l->seen[who][number]++;
}

static void note_line(life *l, model *m, rt_slice line) {
    rt_slice op = text_of(line, "op"), id = text_of(line, "s");
    if (rt_slice_eq(op, RT_LIT("drain"))) {
        m->draining = true;
    } else if (rt_slice_eq(op, RT_LIT("connect"))) {
        note_connect(m, line, id);
    } else {
        known *k = find(m, id);
        assert_non_null(k);
        assert_true(k->there);
        if (rt_slice_eq(op, RT_LIT("event")))
            note_event(l, m, line);
        else if (rt_slice_eq(op, RT_LIT("disconnect")))
            k->there = false;
        else
            set_room(k, text_of(line, "r"), rt_slice_eq(op, RT_LIT("join")));
    }
}

static void read_lines(life *l, model *m) {
    rt_slice rest = rt_slice_of(scene_told(m->host));
    while (rest.n > 0) {
        size_t end = rt_slice_find(rest, '\n');
        note_line(l, m, rt_slice_make(rest.p, end));
        rest = rt_slice_from(rest, end + 1);
    }
}

static void compare(const life *l, model *m) {
    unsigned there = 0;
    const rt_sio_ns *ns = rt_sio_ns_find(l->s.w.io, RT_LIT(NS));
    for (uint32_t i = 0; ns && i < rt_sio_ns_size(ns); i++) {
        rt_sio_socket *s = rt_sio_ns_socket(ns, i);
        const known *k = find(m, rt_sio_socket_id(s));
        assert_non_null(k);
        assert_true(k->there);
        unsigned numbered = 0;
        rt_slice room;
        uint32_t n = 0;
        for (; rt_sio_socket_room(s, n, &room); n++) {
            bool is_numbered = number_of(room) < ROOMS;
            numbered += is_numbered;
            assert_true(!is_numbered || k->rooms[number_of(room)]);
        }
        for (unsigned r = 0; r < ROOMS; r++)
            numbered -= k->rooms[r];
        assert_int_equal(numbered, 0);
        unsigned others = k->others;
        for (unsigned r = 0; r < ROOMS; r++)
            others += k->rooms[r];
        assert_int_equal(others, n);
    }
    for (unsigned i = 0; i < m->count; i++)
        there += m->socket[i].there;
    assert_int_equal(there, ns ? rt_sio_ns_size(ns) : 0);
    assert_int_equal(there, l->s.hosts->kept.count);
}

/* --- a life --- */

static model *newest(life *l) {
    return l->models[l->model_count - 1];
}

static void attach(life *l) {
    char members[200];
    model *m = calloc(1, sizeof *m);
    assert_non_null(m);
    for (int i = 0; i < CLIENTS; i++)
        m->last[i] = -1;
    int n = snprintf(members, sizeof members,
                     "\"id\":\"%u\",\"events\":[\"e\"],\"mirror\":true,\"handshakes\":true",
                     l->model_count);
    if (l->model_count > 0)
        snprintf(members + n, sizeof members - (size_t)n, ",\"replaces\":\"%u\"",
                 l->model_count - 1);
    m->host = scene_attach(&l->s, members);
    l->models[l->model_count++] = m;
}

static void step_client(life *l) {
    char text[100];
    uint32_t i = draw(l, CLIENTS);
    world_client *c = l->client[i];
    if (!c || !c->open) {
        snprintf(text, sizeof text, "u%u@a", i);
        l->client[i] = session_start(&l->s.w, text, V16);
        scene_last(&l->s, l->id[i]);
        return;
    }
    switch (draw(l, 6)) {
    case 0:
        world_leave(c);
        break;
    case 1:
        snprintf(text, sizeof text, "[\"task_%ssubscribe\",\"t%u\"]", draw(l, 2) ? "" : "un",
                 draw(l, 4));
        session_emit(c, text);
        break;
    default:
        snprintf(text, sizeof text, "[\"e\",%u,%d]", i, l->emitted[i]);
        session_emit(c, text);
        l->emitted[i]++;
    }
}

static void step_host(life *l) {
    static const char *const lines[] = {
        "{\"op\":\"join\",\"s\":\"%s\",\"r\":\"room %u\"}",
        "{\"op\":\"join\",\"s\":\"%s\",\"r\":\"room %u\"}",
        "{\"op\":\"leave\",\"s\":\"%s\",\"r\":\"room %u\"}",
        "{\"op\":\"disconnect\",\"s\":\"%s\",\"close\":true,\"x\":%u}",
    };
    model *m = l->models[draw(l, l->model_count)];
    uint32_t i = draw(l, CLIENTS);
    uint32_t what = draw(l, 40);
    if (!m->host->open || !l->id[i][0])
        return;
    char line[200];
    snprintf(line, sizeof line, lines[what < 39 ? what % 3 : 3], l->id[i], draw(l, ROOMS));
    rt_host_line(m->host->host, rt_slice_of(line));
}

static void step(life *l) {
    model *m = l->models[draw(l, l->model_count)];
    switch (draw(l, 12)) {
    case 0:
        if (m->host->open) { /* a pause in its reading, or the end of one */
            m->host->owed_more = draw(l, 2) ? RT_HOST_TELL_OWED : 0;
            read_lines(l, m);
        }
        break;
    case 1:
        if (draw(l, 10) == 0 && l->model_count < SCENE_HOSTS - 1 &&
            newest(l)->host->host->state == RT_HOST_ACTIVE)
            attach(l);
        break;
    case 2:
    case 3:
    case 4:
    case 5:
        step_host(l);
        break;
    default:
        step_client(l);
    }
    l->s.w.now += 30;
    rt_timers_run(&l->s.w.timers, l->s.w.now);
    /* one that drains leaves when it has read that it shall, so that there are places */
    if (m->host->open && m->draining)
        scene_leaves(m->host);
}

static void end(life *l) {
    for (unsigned i = 0; i < l->model_count; i++) {
        model *m = l->models[i];
        m->host->owed_more = 0;
        for (int round = 0; round < 3; round++) /* the rest of what is told, then it takes over */
            read_lines(l, m);
    }
    assert_int_equal(newest(l)->host->host->state, RT_HOST_ACTIVE);
    compare(l, newest(l));
    for (int i = 0; i < CLIENTS; i++)
        for (int n = 0; n < l->emitted[i]; n++)
            assert_int_equal(l->seen[i][n], 1);
}

static void live(uint32_t seed) {
    static life l;
    memset(&l, 0, sizeof l);
    l.random = seed;
    scene_init(&l.s);
    for (int i = 0; i < CLIENTS; i++) {
        l.seen[i] = calloc(1, STEPS);
        assert_non_null(l.seen[i]);
    }
    attach(&l);
    for (int i = 0; i < STEPS; i++)
        step(&l);
    end(&l);
    assert_true(l.model_count > 1);
    assert_int_equal(scene_counter(&l.s, RT_HOSTS_EVENTS_LOST), 0);
    scene_fini(&l.s);
    for (unsigned i = 0; i < l.model_count; i++)
        free(l.models[i]);
    for (int i = 0; i < CLIENTS; i++)
        free(l.seen[i]);
}

static void test_random_lives(void **state) {
    (void)state;
    rt_log_set_sink(NULL, RT_LOG_ERROR);
    for (uint32_t seed = 1; seed <= SEEDS; seed++)
        live(seed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_lives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
