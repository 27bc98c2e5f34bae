/* What it costs when clients leave: the rooms they were in, however many others there are.
 *
 * Cost is counted, not timed: every look into a hash table and at a member of a room, which is the
 * only way to a room, a namespace, a question or another socket. The linker puts the functions
 * below in front of the real ones (Makefile). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/map.h"
#include "frappe/session.h"

#define MANY 5000
#define ROOMS 20

static unsigned long looks;

void *__real_rt_map_get(const rt_map *m, rt_slice key);
int __real_rt_map_put(rt_map *m, rt_slice key, void *value);
void *__real_rt_map_del(rt_map *m, rt_slice key);
const rt_map_entry *__real_rt_map_next(const rt_map *m, size_t *cursor);
bool __real_rt_sio_room_member(const rt_sio_ns *ns, rt_slice room, uint32_t i, rt_sio_socket **s);
void *__wrap_rt_map_get(const rt_map *m, rt_slice key);
int __wrap_rt_map_put(rt_map *m, rt_slice key, void *value);
void *__wrap_rt_map_del(rt_map *m, rt_slice key);
const rt_map_entry *__wrap_rt_map_next(const rt_map *m, size_t *cursor);
bool __wrap_rt_sio_room_member(const rt_sio_ns *ns, rt_slice room, uint32_t i, rt_sio_socket **s);

void *__wrap_rt_map_get(const rt_map *m, rt_slice key) {
    looks++;
    return __real_rt_map_get(m, key);
}

int __wrap_rt_map_put(rt_map *m, rt_slice key, void *value) {
    looks++;
    return __real_rt_map_put(m, key, value);
}

void *__wrap_rt_map_del(rt_map *m, rt_slice key) {
    looks++;
    return __real_rt_map_del(m, key);
}

const rt_map_entry *__wrap_rt_map_next(const rt_map *m, size_t *cursor) {
    looks++;
    return __real_rt_map_next(m, cursor);
}

bool __wrap_rt_sio_room_member(const rt_sio_ns *ns, rt_slice room, uint32_t i, rt_sio_socket **s) {
    looks++;
    return __real_rt_sio_room_member(ns, room, i, s);
}

/* Comes as a user of his own, and joins rooms: every second one is shared with all others. */
static world_client *come(world *w, unsigned number, unsigned rooms) {
    char text[80];
    snprintf(text, sizeof text, "u%u@a", number);
    world_client *c = session_start(w, text, V16);
    for (unsigned r = 0; r < rooms; r++) {
        if (r % 2)
            snprintf(text, sizeof text, "[\"task_subscribe\",\"shared-%u\"]", r);
        else
            snprintf(text, sizeof text, "[\"task_subscribe\",\"own-%u-%u\"]", number, r);
        session_emit(c, text);
    }
    return c;
}

/* Looks it takes until the client has gone and what follows from that is done. */
static unsigned long cost_of_leaving(world_client *c) {
    looks = 0;
    world_leave(c);
    world_pass(c->w, RT_FRAPPE_VIEWERS_MS);
    return looks;
}

static unsigned long cost_among(unsigned others, unsigned rooms) {
    world w;
    world_init(&w, NULL);
    for (unsigned i = 0; i < others; i++)
        come(&w, i, rooms);
    unsigned long cost = cost_of_leaving(come(&w, others, rooms));
    world_fini(&w);
    return cost;
}

static void test_others_cost_nothing(void **state) {
    (void)state;
    unsigned long among_few = cost_among(10, ROOMS);
    assert_true(among_few >= ROOMS / 2); /* his own rooms are taken off the table */
    assert_int_equal(cost_among(1000, ROOMS), among_few);
    assert_int_equal(cost_among(MANY, ROOMS), among_few);
}

static void test_own_rooms_cost(void **state) {
    (void)state;
    unsigned long none = cost_among(10, 0);
    unsigned long some = cost_among(10, ROOMS);
    assert_int_equal(cost_among(10, 2 * ROOMS) - some, some - none);
    assert_int_equal(cost_among(10, 10 * ROOMS) - none, 10 * (some - none));
}

/* All at once: each pays for himself, and the memory is back. */
static void test_all_leave_at_once(void **state) {
    (void)state;
    static world_client *c[MANY];
    world w;
    rt_sio_figures figures;
    unsigned long one = cost_among(10, ROOMS);
    world_init(&w, NULL);
    world_leave(come(&w, 0, ROOMS)); /* what is made once, is made */
    world_pass(&w, RT_FRAPPE_CACHE_MS);
    long before = rt_alloc_live();
    for (unsigned i = 0; i < MANY; i++)
        c[i] = come(&w, i, ROOMS);
    rt_sio_get_figures(w.io, &figures);
    assert_int_equal(figures.rooms, MANY * (ROOMS / 2 + 1) + ROOMS / 2 + 2);
    assert_true(rt_alloc_live() > before + MANY * ROOMS / 2);
    looks = 0;
    for (unsigned i = 0; i < MANY; i++)
        rt_eio_port_closed(w.eio, &c[i]->port, true);
    world_turn(&w);
    print_message("%d clients with %d rooms each: %lu looks\n", MANY, ROOMS, looks);
    assert_true(looks <= MANY * one + ROOMS);
    rt_sio_get_figures(w.io, &figures);
    assert_int_equal(figures.sockets, 0);
    assert_int_equal(figures.rooms, 0);
    assert_int_equal(figures.namespaces, 0);
    world_pass(&w, RT_FRAPPE_CACHE_MS); /* answers are kept no longer than ever */
    assert_int_equal(rt_alloc_live(), before);
    world_fini(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_others_cost_nothing),
        cmocka_unit_test(test_own_rooms_cost),
        cmocka_unit_test(test_all_leave_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
