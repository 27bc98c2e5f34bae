#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/timers.h"

#include <string.h>

/* Callbacks write the letter of their timer here. */
static char fired[64];

typedef struct alarm_clock {
    rt_timer timer;
    char letter;
} alarm_clock;

static void note(rt_timer *t) {
    size_t n = strlen(fired);
    assert_true(n + 1 < sizeof(fired));
    fired[n] = RT_OF(t, alarm_clock, timer)->letter;
    fired[n + 1] = '\0';
}

static void on_note(rt_timerq *q, rt_timer *t) {
    (void)q;
    assert_false(rt_timer_armed(t));
    note(t);
}

static int set_up(void **state) {
    (void)state;
    fired[0] = '\0';
    return 0;
}

static void make(alarm_clock *c, char letter) {
    rt_timer_init(&c->timer);
    c->letter = letter;
}

static void test_fires_at_the_millisecond(void **state) {
    (void)state;
    rt_timers ts;
    rt_timerq q;
    alarm_clock a, b;
    make(&a, 'a');
    make(&b, 'b');
    rt_timers_init(&ts);
    assert_int_equal(rt_timers_next(&ts, 0), -1);
    rt_timers_run(&ts, 0);
    rt_timerq_init(&q, &ts, 100, on_note, NULL);
    assert_int_equal(rt_timers_next(&ts, 0), -1);
    rt_timer_arm(&q, &a.timer, 1000);
    rt_timer_arm(&q, &b.timer, 1001);
    assert_true(rt_timer_armed(&a.timer));
    assert_int_equal(rt_timers_next(&ts, 1000), 100);
    rt_timers_run(&ts, 1099);
    assert_string_equal(fired, "");
    assert_int_equal(rt_timers_next(&ts, 1099), 1);
    rt_timers_run(&ts, 1100);
    assert_string_equal(fired, "a");
    assert_int_equal(rt_timers_next(&ts, 1100), 1);
    assert_int_equal(rt_timers_next(&ts, 5000), 0);
    rt_timers_run(&ts, 5000);
    assert_string_equal(fired, "ab");
    assert_int_equal(rt_timers_next(&ts, 5000), -1);
    rt_timerq_fini(&q);
}

static void test_arming_again_and_disarming(void **state) {
    (void)state;
    rt_timers ts;
    rt_timerq fast, slow;
    alarm_clock a, b, c;
    make(&a, 'a');
    make(&b, 'b');
    make(&c, 'c');
    rt_timers_init(&ts);
    rt_timerq_init(&slow, &ts, 100, on_note, NULL);
    rt_timerq_init(&fast, &ts, 10, on_note, NULL);
    rt_timer_arm(&slow, &a.timer, 0);
    rt_timer_arm(&slow, &b.timer, 0);
    rt_timer_arm(&slow, &c.timer, 0);
    assert_int_equal(rt_timers_next(&ts, 0), 100);
    rt_timer_arm(&slow, &a.timer, 50); /* a heartbeat came: behind b and c now */
    rt_timer_arm(&fast, &c.timer, 50); /* moves to another queue */
    assert_int_equal(rt_timers_next(&ts, 50), 10);
    rt_timer_disarm(&b.timer);
    rt_timer_disarm(&b.timer);
    rt_timers_run(&ts, 120);
    assert_string_equal(fired, "c");
    rt_timers_run(&ts, 150);
    assert_string_equal(fired, "ca");
    rt_timerq_fini(&slow);
    rt_timerq_fini(&fast);
}

static void test_fini_disarms_without_calling(void **state) {
    (void)state;
    rt_timers ts;
    rt_timerq q;
    alarm_clock a;
    make(&a, 'a');
    rt_timers_init(&ts);
    rt_timerq_init(&q, &ts, 10, on_note, NULL);
    rt_timer_arm(&q, &a.timer, 0);
    rt_timerq_fini(&q);
    assert_false(rt_timer_armed(&a.timer));
    rt_timers_run(&ts, 1000);
    assert_string_equal(fired, "");
    assert_int_equal(rt_timers_next(&ts, 1000), -1);
}

/* ---- callbacks that change what is being walked ---- */

static void on_rearm(rt_timerq *q, rt_timer *t) {
    note(t);
    rt_timer_arm(q, t, *(uint64_t *)q->arg);
}

static void test_rearming_waits_for_the_next_run(void **state) {
    (void)state;
    static const uint32_t durations[] = {0, 1, 50};
    for (size_t i = 0; i < 3; i++) {
        fired[0] = '\0';
        rt_timers ts;
        rt_timerq q;
        alarm_clock a;
        uint64_t now = 100;
        make(&a, 'a');
        rt_timers_init(&ts);
        rt_timerq_init(&q, &ts, durations[i], on_rearm, &now);
        rt_timer_arm(&q, &a.timer, 0);
        rt_timers_run(&ts, now);
        assert_string_equal(fired, "a");
        assert_true(rt_timer_armed(&a.timer));
        assert_true(rt_timers_next(&ts, now) > 0);
        rt_timerq_fini(&q);
    }
}

static void on_disarm_other(rt_timerq *q, rt_timer *t) {
    note(t);
    rt_timer_disarm(q->arg);
}

static void test_a_callback_disarms_one_that_is_due(void **state) {
    (void)state;
    rt_timers ts;
    rt_timerq q;
    alarm_clock a, b, c;
    make(&a, 'a');
    make(&b, 'b');
    make(&c, 'c');
    rt_timers_init(&ts);
    rt_timerq_init(&q, &ts, 10, on_disarm_other, &b.timer);
    rt_timer_arm(&q, &a.timer, 0);
    rt_timer_arm(&q, &b.timer, 0);
    rt_timer_arm(&q, &c.timer, 0);
    rt_timers_run(&ts, 10);
    assert_string_equal(fired, "ac");
    rt_timerq_fini(&q);
}

static void on_free(rt_timerq *q, rt_timer *t) {
    (void)q;
    note(t);
    rt_free(RT_OF(t, alarm_clock, timer));
}

static void test_a_callback_frees_its_timer(void **state) {
    (void)state;
    rt_timers ts;
    rt_timerq q;
    rt_timers_init(&ts);
    rt_timerq_init(&q, &ts, 10, on_free, NULL);
    for (char letter = 'a'; letter < 'd'; letter++) {
        alarm_clock *c = rt_alloc(sizeof(*c));
        assert_non_null(c);
        make(c, letter);
        rt_timer_arm(&q, &c->timer, 0);
    }
    rt_timers_run(&ts, 10);
    assert_string_equal(fired, "abc");
    rt_timerq_fini(&q);
}

/* An object that owns a queue and goes with its first timer. */
typedef struct owner {
    rt_timerq q;
    rt_timerq *also; /* another queue that it takes along */
} owner;

static void on_fini_queue(rt_timerq *q, rt_timer *t) {
    owner *o = q->arg;
    note(t);
    if (o->also)
        rt_timerq_fini(o->also);
    rt_timerq_fini(q);
    rt_free(o);
}

static void test_a_callback_ends_queues(void **state) {
    (void)state;
    for (int also = 0; also < 2; also++) {
        fired[0] = '\0';
        rt_timers ts;
        rt_timerq before, after;
        alarm_clock a, b, c, d;
        make(&a, 'a');
        make(&b, 'b');
        make(&c, 'c');
        make(&d, 'd');
        rt_timers_init(&ts);
        owner *o = rt_alloc(sizeof(*o));
        assert_non_null(o);
        rt_timerq_init(&before, &ts, 10, on_note, NULL);
        rt_timerq_init(&o->q, &ts, 10, on_fini_queue, o);
        rt_timerq_init(&after, &ts, 10, on_note, NULL);
        o->also = also ? &after : NULL;
        rt_timer_arm(&before, &a.timer, 0);
        rt_timer_arm(&o->q, &b.timer, 0);
        rt_timer_arm(&o->q, &c.timer, 0);
        rt_timer_arm(&after, &d.timer, 0);
        rt_timers_run(&ts, 10);
        assert_string_equal(fired, also ? "ab" : "abd");
        assert_false(rt_timer_armed(&c.timer));
        rt_timerq_fini(&before);
        if (!also)
            rt_timerq_fini(&after);
        assert_true(rt_list_empty(&ts.queues));
    }
}

typedef struct spawner {
    rt_timers *ts;
    rt_timerq q;
    alarm_clock late;
} spawner;

static void on_spawn(rt_timerq *q, rt_timer *t) {
    spawner *s = q->arg;
    note(t);
    rt_timerq_init(&s->q, s->ts, 5, on_note, NULL);
    rt_timer_arm(&s->q, &s->late.timer, 0); /* overdue at once */
}

static void test_a_callback_starts_a_queue(void **state) {
    (void)state;
    rt_timers ts;
    rt_timerq q;
    alarm_clock a;
    spawner s = {.ts = &ts};
    make(&a, 'a');
    make(&s.late, 'l');
    rt_timers_init(&ts);
    rt_timerq_init(&q, &ts, 10, on_spawn, &s);
    rt_timer_arm(&q, &a.timer, 0);
    rt_timers_run(&ts, 10);
    assert_string_equal(fired, "a");
    assert_int_equal(rt_timers_next(&ts, 10), 0);
    rt_timers_run(&ts, 10);
    assert_string_equal(fired, "al");
    rt_timerq_fini(&q);
    rt_timerq_fini(&s.q);
}

/* ---- beside them, alarms ---- */

typedef struct bell {
    rt_alarm alarm;
    rt_timers *ts;
    rt_timerq *q; /* in which it arms `timer` when it fires */
    alarm_clock clock;
} bell;

static void on_bell(rt_alarm *a) {
    bell *b = RT_OF(a, bell, alarm);
    note(&b->clock.timer);
    rt_timer_arm(b->q, &b->clock.timer, a->deadline);
}

static void on_arm_alarm(rt_timerq *q, rt_timer *t) {
    bell *b = q->arg;
    note(t);
    rt_alarm_arm(&b->ts->alarms, &b->alarm, t->deadline);
}

static void test_alarms_and_queues_run_together(void **state) {
    (void)state;
    rt_timers ts;
    rt_timerq q;
    bell b = {.ts = &ts, .q = &q};
    rt_timers_init(&ts);
    rt_timerq_init(&q, &ts, 10, on_arm_alarm, &b);
    make(&b.clock, 'b');
    rt_alarm_init(&b.alarm, on_bell);
    rt_alarm_arm(&ts.alarms, &b.alarm, 105);
    assert_int_equal(rt_timers_next(&ts, 100), 5);
    assert_int_equal(rt_timers_next(&ts, 200), 0);
    rt_timers_run(&ts, 105);
    assert_string_equal(fired, "b");
    assert_int_equal(rt_timers_next(&ts, 105), 10);
    rt_timers_run(&ts, 115); /* the queue arms an alarm that is due: it waits */
    assert_string_equal(fired, "bb");
    assert_int_equal(rt_timers_next(&ts, 115), 1);
    rt_timers_run(&ts, 116);
    assert_string_equal(fired, "bbb");
    rt_timerq_fini(&q);
    assert_int_equal(rt_timers_next(&ts, 116), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_fires_at_the_millisecond, set_up),
        cmocka_unit_test_setup(test_arming_again_and_disarming, set_up),
        cmocka_unit_test_setup(test_fini_disarms_without_calling, set_up),
        cmocka_unit_test_setup(test_rearming_waits_for_the_next_run, set_up),
        cmocka_unit_test_setup(test_a_callback_disarms_one_that_is_due, set_up),
        cmocka_unit_test_setup(test_a_callback_frees_its_timer, set_up),
        cmocka_unit_test_setup(test_a_callback_ends_queues, set_up),
        cmocka_unit_test_setup(test_a_callback_starts_a_queue, set_up),
        cmocka_unit_test_setup(test_alarms_and_queues_run_together, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
