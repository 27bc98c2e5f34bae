/* Whose turn it is: slots, sites in turn, the known first, and what a site that is away is asked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/status.h"
#include "base/timers.h"
#include "frappe/turns.h"

#define MANY 200

typedef struct place {
    rt_line line;
    int held;
} place;

typedef struct asking {
    rt_turn turn;
    place *at;
    int flown;
} asking;

static rt_turns turns;
static rt_timers timers;
static uint64_t clock_ms;
static asking *flew[1000]; /* in order */
static unsigned flights;
static asking asks[MANY];
static unsigned asked;
static place places[20];

static void on_fly(void *ctx, rt_turn *t) {
    (void)ctx;
    asking *a = RT_OF(t, asking, turn);
    a->flown++;
    assert_true(flights < sizeof flew / sizeof *flew);
    flew[flights++] = a;
}

static void on_hold(rt_line *l) {
    RT_OF(l, place, line)->held++;
}

static void on_rele(rt_line *l) {
    RT_OF(l, place, line)->held--;
}

static uint64_t now(void *ctx) {
    (void)ctx;
    return clock_ms;
}

static void begin(uint32_t slots) {
    clock_ms = 1000;
    flights = asked = 0;
    rt_timers_init(&timers);
    rt_turns_ops ops = {NULL, on_fly, on_hold, on_rele, now};
    rt_turns_init(&turns, &timers.alarms, slots, &ops);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        rt_line_init(&places[i].line);
        places[i].held = 0;
    }
}

static void end(void) {
    rt_turns_set_slots(&turns, 0);
    for (unsigned i = 0; i < asked; i++)
        rt_turn_end(&asks[i].turn, &asks[i].at->line);
    rt_turns_fini(&turns);
    assert_int_equal(turns.flying, 0);
    assert_int_equal(turns.waiting, 0);
    assert_int_equal(turns.held_count, 0);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        assert_int_equal(places[i].held, 0);
        assert_int_equal(places[i].line.flying, 0);
        rt_line_fini(&places[i].line);
    }
    assert_null(timers.alarms.top);
}

static void again(asking *a, bool known) {
    rt_turn_wait(&a->turn, &a->at->line, &turns, known ? RT_TURN_KNOWN : 0);
}

static asking *ask(place *at, bool known) {
    assert_true(asked < MANY);
    asking *a = &asks[asked++];
    rt_turn_init(&a->turn);
    a->at = at;
    a->flown = 0;
    again(a, known);
    return a;
}

static void answer(asking *a) {
    rt_turn_answered(&a->turn, &a->at->line);
}

static bool not_now(asking *a) {
    return rt_turn_not_now(&a->turn, &a->at->line, 0);
}

static void pass(uint64_t ms) {
    for (uint64_t until = clock_ms + ms; clock_ms < until;) {
        int64_t next = rt_timers_next(&timers, clock_ms);
        clock_ms =
            next < 0 || clock_ms + (uint64_t)next > until ? until : clock_ms + (uint64_t)next;
        rt_timers_run(&timers, clock_ms);
    }
}

/* --- slots --- */

/* First come, first served, also when one that waits is taken out. */
static void test_in_order(void **state) {
    (void)state;
    begin(1);
    for (int i = 0; i < 5; i++)
        ask(&places[0], false);
    assert_int_equal(flights, 1);
    rt_turn_end(&asks[2].turn, &places[0].line);
    static const int order[] = {0, 1, 3, 4};
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(flights, i + 1);
        assert_ptr_equal(flew[i], &asks[order[i]]);
        answer(flew[i]);
    }
    assert_int_equal(asks[2].flown, 0);
    end();
}

/* More may fly from now on: who is in line starts without waiting for an answer. Fewer: none is
 * taken back. */
static void test_new_slots(void **state) {
    (void)state;
    begin(1);
    for (int i = 0; i < 8; i++)
        ask(&places[0], false);
    rt_turns_set_slots(&turns, 3);
    assert_int_equal(flights, 3);
    rt_turns_set_slots(&turns, 1);
    answer(flew[0]);
    answer(flew[1]);
    assert_int_equal(flights, 3);
    answer(flew[2]);
    assert_int_equal(flights, 4);
    rt_turn_end(&flew[3]->turn, &places[0].line); /* cancelled: makes room */
    assert_int_equal(flights, 5);
    end();
}

/* One site that has a crowd and never answers leaves slots to others, and they to the next. */
static void test_share(void **state) {
    (void)state;
    static const struct {
        uint32_t slots, first, second;
    } cases[] = {{16, 12, 3}, {1, 1, 0}, {2, 2, 0}, {3, 3, 0}, {4, 3, 1}, {100, 75, 19}};
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        begin(cases[n].slots);
        for (int i = 0; i < 90; i++)
            ask(&places[0], false);
        assert_int_equal(places[0].line.flying, cases[n].first);
        for (int i = 0; i < 90; i++)
            ask(&places[1], false);
        assert_int_equal(places[1].line.flying, cases[n].second);
        end();
    }
}

/* --- whose turn --- */

/* A site with one question waits for one answer, not for another site's crowd. */
static void test_sites_take_turns(void **state) {
    (void)state;
    begin(1);
    for (int i = 0; i < 100; i++)
        ask(&places[0], false);
    asking *b = ask(&places[1], false), *c = ask(&places[2], false);
    answer(flew[0]);
    answer(flew[1]);
    answer(flew[2]);
    assert_int_equal(b->flown + c->flown, 2);
    end();
}

/* Any number of made-up names is no more than one site beside a real one. */
static void test_made_up_sites(void **state) {
    (void)state;
    begin(1);
    places[0].line.proven = true;
    for (int i = 1; i < 20; i++)
        for (int n = 0; n < 5; n++)
            ask(&places[i], false);
    asking *real[4];
    for (int i = 0; i < 4; i++)
        real[i] = ask(&places[0], false);
    for (int i = 0; i < 8; i++)
        answer(flew[i]);
    assert_true(real[0]->flown && real[1]->flown && real[2]->flown && real[3]->flown);
    end();
}

static void test_known_first(void **state) {
    (void)state;
    begin(1);
    for (int i = 0; i < 50; i++)
        ask(&places[0], false);
    for (int i = 0; i < 6; i++)
        ask(&places[0], true);
    for (unsigned i = 0; i < 9; i++)
        answer(flew[i]);
    /* the one that flew before they came, then three of four */
    static const bool known[] = {false, true, true, true, false, true, true, true, false};
    for (unsigned i = 0; i < 9; i++)
        assert_int_equal(flew[i]->turn.crowd == RT_TURN_KNOWN, known[i]);
    end();
}

/* An address that sends a crowd delays itself, not the others. */
static void test_crowds_take_turns(void **state) {
    (void)state;
    begin(1);
    for (int i = 0; i < 100; i++)
        ask(&places[0], false);
    asking *others[3];
    for (unsigned i = 0; i < 3; i++) {
        others[i] = ask(&places[1], false);
        rt_turn_end(&others[i]->turn, &places[1].line);
        others[i]->at = &places[0];
        rt_turn_wait(&others[i]->turn, &places[0].line, &turns, (uint8_t)(5 + i));
    }
    for (unsigned i = 0; i < 4; i++)
        answer(flew[i]);
    assert_int_equal(others[0]->flown + others[1]->flown + others[2]->flown, 3);
    end();
}

/* One address is in one crowd; many are in all. */
static void test_crowd_of(void **state) {
    (void)state;
    bool seen[RT_LINE_CROWDS] = {false};
    char address[80];
    begin(1);
    for (int i = 0; i < 500; i++) {
        snprintf(address, sizeof address, "2001:db8::%d", i);
        uint8_t crowd = rt_turns_crowd(&turns, rt_slice_of(address));
        assert_true(crowd < RT_LINE_CROWDS);
        assert_int_equal(crowd, rt_turns_crowd(&turns, rt_slice_of(address)));
        seen[crowd] = true;
    }
    for (int i = 0; i < RT_LINE_CROWDS; i++)
        assert_true(seen[i]);
    memset(address, 'a', sizeof address); /* as long as anybody likes */
    assert_true(rt_turns_crowd(&turns, rt_slice_make(address, sizeof address)) < RT_LINE_CROWDS);
    assert_true(rt_turns_crowd(&turns, RT_EMPTY) < RT_LINE_CROWDS);
    end();
}

/* --- a site that is away --- */

/* Everybody who was asking is told; one tests the water, another each time; then all go. */
static void test_one_tests_the_water(void **state) {
    (void)state;
    begin(16);
    for (int i = 0; i < 40; i++)
        ask(&places[0], false);
    assert_int_equal(flights, 12);
    for (unsigned i = 0; i < 12; i++) {
        assert_true(not_now(flew[i]));
        again(flew[i], false);
    }
    assert_int_equal(flights, 12);
    assert_int_equal(turns.pauses, 1);
    assert_int_equal(places[0].held, 1);
    static const unsigned pauses[] = {250, 500, 1000, 2000, 4000, 4000, 4000};
    for (unsigned i = 0; i < sizeof pauses / sizeof *pauses; i++) {
        pass(pauses[i] - 1);
        assert_int_equal(flights, 12 + i);
        pass(1 + pauses[i] / 4);
        assert_int_equal(flights, 13 + i);
        pass(5000); /* it takes its time */
        assert_int_equal(flights, 13 + i);
        assert_ptr_equal(flew[12 + i], &asks[12 + i]);
        assert_true(not_now(flew[12 + i]));
        again(flew[12 + i], false);
    }
    pass(5000);
    answer(flew[flights - 1]);
    assert_int_equal(places[0].line.flying, 12);
    assert_int_equal(places[0].held, 0);
    end();
}

static void test_retry_after(void **state) {
    (void)state;
    static const struct {
        uint32_t wish, pause;
    } cases[] = {{0, 250}, {100, 250}, {7000, 7000}, {3600000, RT_LINE_RETRY_AFTER_MS}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin(4);
        asking *a = ask(&places[0], false);
        assert_true(rt_turn_not_now(&a->turn, &places[0].line, cases[i].wish));
        again(a, false);
        pass(cases[i].pause - 1);
        assert_int_equal(flights, 1);
        pass(1 + cases[i].pause / 4);
        assert_int_equal(flights, 2);
        end();
    }
}

/* Other sites are asked as ever. */
static void test_away_alone(void **state) {
    (void)state;
    begin(4);
    not_now(ask(&places[0], false));
    asking *b = ask(&places[1], false);
    assert_int_equal(b->flown, 1);
    assert_int_equal(ask(&places[0], false)->flown, 0);
    end();
}

/* A failure that is older than the last answer is that question's own. */
static void test_old_failure(void **state) {
    (void)state;
    begin(4);
    asking *slow = ask(&places[0], false), *quick = ask(&places[0], false);
    pass(10);
    answer(quick);
    assert_false(not_now(slow));
    assert_int_equal(places[0].line.state, RT_LINE_OPEN);
    end();
}

/* One question with a useless answer is its own affair; so many in a row are the site's. */
static void test_useless_answers(void **state) {
    (void)state;
    begin(4);
    for (int i = 1; i <= RT_LINE_FAILURES; i++) {
        asking *a = ask(&places[0], false);
        assert_int_equal(rt_turn_failed(&a->turn, &places[0].line), i == RT_LINE_FAILURES);
    }
    asking *probe = ask(&places[0], false);
    pass(250 + 63);
    assert_int_equal(probe->flown, 1);
    assert_true(rt_turn_failed(&probe->turn, &places[0].line));
    asking *next = ask(&places[0], false);
    pass(500 + 125);
    answer(next);
    asking *last = ask(&places[0], false);
    assert_false(rt_turn_failed(&last->turn, &places[0].line));
    end();
}

/* A site that hangs: late ones give their slots to others; one more is asked, and no other until it
 * has ended. */
static void test_late(void **state) {
    (void)state;
    begin(4);
    for (int i = 0; i < 20; i++)
        ask(&places[0], false);
    assert_int_equal(flights, 3);
    pass(10000);
    for (unsigned i = 0; i < 3; i++)
        assert_true(rt_turn_late(&flew[i]->turn, &places[0].line));
    assert_int_equal(turns.flying, 0);
    assert_int_equal(places[0].line.flying, 3);
    pass(250 + 63);
    assert_int_equal(flights, 4);
    pass(10000);
    assert_true(rt_turn_late(&flew[3]->turn, &places[0].line));
    pass(100000);
    assert_int_equal(flights, 4);
    for (int i = 0; i < 3; i++)
        ask(&places[1], false);
    assert_int_equal(flights, 7);
    /* the last one answers: as many go as it has room for */
    answer(flew[0]);
    assert_int_equal(places[0].line.flying, 3);
    end();
}

/* It needs longer than it may, and is given it from then on; for ever it is not. */
static void test_late_after(void **state) {
    (void)state;
    begin(4);
    assert_int_equal(rt_line_late_after(&places[0].line, 10000), 10000);
    asking *a = ask(&places[0], false);
    pass(12000);
    answer(a);
    assert_int_equal(rt_line_late_after(&places[0].line, 10000), 24000);
    for (int i = 0; i < 20; i++)
        answer(ask(&places[0], false));
    assert_int_equal(rt_line_late_after(&places[0].line, 10000), 10000);
    a = ask(&places[0], false);
    pass(110000);
    answer(a);
    assert_int_equal(rt_line_late_after(&places[0].line, 10000), RT_LINE_NEEDED_MAX_MS);
    end();
}

/* The one that tests the water is cancelled: the next does. */
static void test_probe_is_cancelled(void **state) {
    (void)state;
    begin(4);
    asking *a = ask(&places[0], false), *b = NULL;
    not_now(a);
    again(a, false);
    b = ask(&places[0], false);
    pass(250 + 63);
    assert_int_equal(a->flown, 2);
    assert_int_equal(b->flown, 0);
    rt_turn_end(&a->turn, &places[0].line);
    assert_int_equal(b->flown, 1);
    rt_turn_end(&b->turn, &places[0].line);
    end();
}

/* A crowd that comes after a while finds out by one of them; after a long while nobody remembers.
 */
static void test_forgotten(void **state) {
    (void)state;
    begin(16);
    not_now(ask(&places[0], false));
    pass(30000);
    assert_int_equal(places[0].held, 1);
    for (int i = 0; i < 5; i++)
        ask(&places[0], false);
    assert_int_equal(flights, 2);
    not_now(flew[1]);
    for (unsigned i = 2; i < asked; i++)
        rt_turn_end(&asks[i].turn, &places[0].line);
    pass(500 + 125 + RT_LINE_FORGET_MS);
    assert_int_equal(places[0].held, 0);
    for (int i = 0; i < 5; i++)
        ask(&places[0], false);
    assert_int_equal(flights, 7);
    end();
}

static void test_held_at_most(void **state) {
    (void)state;
    begin(4);
    turns.held_count = RT_LINE_HELD_MAX;
    not_now(ask(&places[0], false));
    assert_int_equal(places[0].held, 0);
    assert_int_equal(places[0].line.state, RT_LINE_PAUSED);
    turns.held_count = 0;
    end();
}

/* --- anything in any order --- */

static void step(unsigned *seed) {
    asking *a = &asks[(unsigned)rand_r(seed) % asked];
    rt_line *l = &a->at->line;
    bool flies = a->turn.state == RT_TURN_FLIES || a->turn.state == RT_TURN_LATE;
    switch (rand_r(seed) % 8) {
    case 0:
        rt_turn_end(&a->turn, l);
        break;
    case 1:
        pass((unsigned)rand_r(seed) % 3000);
        break;
    case 2:
        if (a->turn.state == RT_TURN_FLIES)
            rt_turn_late(&a->turn, l);
        break;
    case 3:
        if (flies)
            rt_turn_not_now(&a->turn, l, 0);
        break;
    case 4:
        if (flies)
            rt_turn_failed(&a->turn, l);
        break;
    case 5:
        if (flies)
            answer(a);
        break;
    default:
        if (a->turn.state == RT_TURN_NONE)
            again(a, rand_r(seed) % 2);
    }
    flights = 0;
}

static void check(void) {
    uint32_t flying = 0, late = 0, waiting = 0;
    for (unsigned i = 0; i < asked; i++) {
        flying += asks[i].turn.state == RT_TURN_FLIES;
        late += asks[i].turn.state == RT_TURN_LATE;
        waiting += asks[i].turn.state == RT_TURN_WAITS;
    }
    assert_int_equal(turns.flying, flying);
    assert_int_equal(turns.waiting, waiting);
    assert_true(flying <= turns.slots);
    uint32_t on_lines = 0;
    for (int i = 0; i < 4; i++) {
        const rt_line *l = &places[i].line;
        on_lines += l->flying;
        /* nobody is forgotten: who waits flies by himself, or something will come that lets him */
        if (l->waiting && l->state == RT_LINE_OPEN)
            assert_true(turns.flying == turns.slots || l->flying > 0);
        if (l->state == RT_LINE_PROBING)
            assert_true(l->flying > 0);
        if (l->state == RT_LINE_PAUSED)
            assert_true(rt_alarm_armed(&l->alarm));
        if (l->waiting && l->state == RT_LINE_DUE)
            assert_int_equal(turns.flying, turns.slots);
    }
    assert_int_equal(on_lines, flying + late);
}

static void test_any_order(void **state) {
    (void)state;
    for (unsigned round = 0; round < 40; round++) {
        unsigned seed = round;
        begin(1 + round % 7);
        for (int i = 0; i < 40; i++)
            ask(&places[i % 4], i % 3 == 0);
        flights = 0;
        for (int i = 0; i < 2000; i++) {
            step(&seed);
            check();
        }
        end();
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_order),
        cmocka_unit_test(test_new_slots),
        cmocka_unit_test(test_share),
        cmocka_unit_test(test_sites_take_turns),
        cmocka_unit_test(test_made_up_sites),
        cmocka_unit_test(test_known_first),
        cmocka_unit_test(test_crowds_take_turns),
        cmocka_unit_test(test_crowd_of),
        cmocka_unit_test(test_one_tests_the_water),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_away_alone),
        cmocka_unit_test(test_old_failure),
        cmocka_unit_test(test_useless_answers),
        cmocka_unit_test(test_late),
        cmocka_unit_test(test_late_after),
        cmocka_unit_test(test_probe_is_cancelled),
        cmocka_unit_test(test_forgotten),
        cmocka_unit_test(test_held_at_most),
        cmocka_unit_test(test_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
