/* Timers for any deadline: their order, callbacks that change what is armed, and a long random life
 * beside a model that looks through all of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alarm.h"
#include "base/alloc.h"
#include "base/list.h"

#include <string.h>

/* Callbacks write the letter of their alarm here. */
static char fired[64];

typedef struct bell {
    rt_alarm alarm;
    char letter;
    rt_alarms *all;
    struct bell *other;
} bell;

static bell *note(rt_alarm *a) {
    bell *b = RT_OF(a, bell, alarm);
    size_t n = strlen(fired);
    assert_true(n + 1 < sizeof fired);
    assert_false(rt_alarm_armed(a));
    fired[n] = b->letter;
    fired[n + 1] = '\0';
    return b;
}

static void on_note(rt_alarm *a) {
    (void)note(a);
}

static void make(bell *b, char letter, rt_alarm_fn *fire) {
    rt_alarm_init(&b->alarm, fire);
    b->letter = letter;
}

static int set_up(void **state) {
    (void)state;
    fired[0] = '\0';
    return 0;
}

static void run_and_expect(rt_alarms *all, uint64_t now, const char *want) {
    fired[0] = '\0';
    rt_alarms_run(all, now);
    assert_string_equal(fired, want);
}

static void test_any_deadline(void **state) {
    (void)state;
    static const uint64_t deadlines[] = {500, 20, 70000, 20, 1, UINT64_MAX};
    rt_alarms all;
    bell b[6];
    rt_alarms_init(&all);
    for (int i = 0; i < 6; i++) {
        make(&b[i], (char)('a' + i), on_note);
        assert_false(rt_alarm_armed(&b[i].alarm));
        rt_alarm_arm(&all, &b[i].alarm, deadlines[i]);
        assert_true(rt_alarm_armed(&b[i].alarm));
    }
    run_and_expect(&all, 0, "");
    run_and_expect(&all, 19, "e");
    run_and_expect(&all, 499, "bd");
    run_and_expect(&all, 500, "a");
    run_and_expect(&all, UINT64_MAX - 1, "c");
    rt_alarm_disarm(&b[5].alarm);
    assert_null(all.top);
}

static void test_same_deadline_in_order_of_arming(void **state) {
    (void)state;
    static const char want[] = "bcdefghijklmnopqrstuvwxyza";
    rt_alarms all;
    bell b[26];
    rt_alarms_init(&all);
    for (int i = 0; i < 26; i++) {
        make(&b[i], (char)('a' + i), on_note);
        rt_alarm_arm(&all, &b[i].alarm, 100);
    }
    rt_alarm_arm(&all, &b[0].alarm, 100); /* armed again: behind the others now */
    run_and_expect(&all, 100, want);
}

static void test_arming_again_and_disarming(void **state) {
    (void)state;
    rt_alarms all;
    bell a, b, c;
    rt_alarms_init(&all);
    make(&a, 'a', on_note);
    make(&b, 'b', on_note);
    make(&c, 'c', on_note);
    rt_alarm_disarm(&a.alarm);
    rt_alarm_arm(&all, &a.alarm, 10);
    rt_alarm_arm(&all, &b.alarm, 20);
    rt_alarm_arm(&all, &c.alarm, 30);
    rt_alarm_arm(&all, &a.alarm, 40); /* later than before */
    rt_alarm_arm(&all, &c.alarm, 5);  /* earlier than before */
    rt_alarm_disarm(&b.alarm);
    rt_alarm_disarm(&b.alarm);
    run_and_expect(&all, 39, "c");
    run_and_expect(&all, 40, "a");
}

/* ---- callbacks that change what is armed ---- */

static void on_arm_at_once(rt_alarm *a) {
    bell *b = note(a);
    rt_alarm_arm(b->all, a, 0);
    rt_alarm_arm(b->all, &b->other->alarm, 0);
}

static void test_what_a_callback_arms_waits_for_a_later_run(void **state) {
    (void)state;
    rt_alarms all;
    bell a, b;
    rt_alarms_init(&all);
    make(&a, 'a', on_arm_at_once);
    make(&b, 'b', on_note);
    a.all = &all;
    a.other = &b;
    rt_alarm_arm(&all, &a.alarm, 7);
    run_and_expect(&all, 10, "a");
    assert_int_equal(a.alarm.deadline, 11);
    run_and_expect(&all, 10, "");
    run_and_expect(&all, 11, "a"); /* it has armed both again */
    rt_alarm_disarm(&a.alarm);
    run_and_expect(&all, 12, "b");
}

static void on_disarm_other(rt_alarm *a) {
    rt_alarm_disarm(&note(a)->other->alarm);
}

static void test_a_callback_disarms_one_that_is_due(void **state) {
    (void)state;
    rt_alarms all;
    bell a, b, c;
    rt_alarms_init(&all);
    make(&a, 'a', on_disarm_other);
    make(&b, 'b', on_note);
    make(&c, 'c', on_note);
    a.other = &b;
    rt_alarm_arm(&all, &a.alarm, 10);
    rt_alarm_arm(&all, &b.alarm, 11);
    rt_alarm_arm(&all, &c.alarm, 12);
    run_and_expect(&all, 20, "ac");
}

static void on_free(rt_alarm *a) {
    rt_free(note(a));
}

static void test_a_callback_frees_its_alarm(void **state) {
    (void)state;
    rt_alarms all;
    rt_alarms_init(&all);
    for (char letter = 'a'; letter < 'd'; letter++) {
        bell *b = rt_alloc0(sizeof *b);
        assert_non_null(b);
        make(b, letter, on_free);
        rt_alarm_arm(&all, &b->alarm, 10);
    }
    run_and_expect(&all, 10, "abc");
    assert_int_equal(rt_alloc_live(), 0);
}

/* ---- a random life ---- */

#define ALARMS 200
#define STEPS 20000

typedef struct modelled {
    rt_alarm alarm;
    bool armed;
    uint64_t deadline, order;
} modelled;

static struct {
    rt_alarms all;
    modelled *of[ALARMS];
    uint64_t now, armings;
    bool running;
    uint64_t seed, fired;
} life;

static uint32_t below(uint32_t n) {
    life.seed ^= life.seed << 13;
    life.seed ^= life.seed >> 7;
    life.seed ^= life.seed << 17;
    return (uint32_t)(life.seed >> 32) % n;
}

static void on_modelled(rt_alarm *a);

static modelled *new_modelled(void) {
    modelled *m = rt_alloc0(sizeof *m);
    assert_non_null(m);
    rt_alarm_init(&m->alarm, on_modelled);
    return m;
}

/* Few different deadlines, so that many are equal; some have passed already. */
static void arm_one(modelled *m) {
    uint64_t deadline = life.now + below(60);
    deadline = deadline > 20 ? deadline - 20 : 0;
    rt_alarm_arm(&life.all, &m->alarm, deadline);
    m->armed = true;
    m->deadline = deadline > life.all.ran_at ? deadline : life.all.ran_at + 1;
    m->order = life.armings++;
}

static void disarm_one(modelled *m) {
    rt_alarm_disarm(&m->alarm);
    m->armed = false;
}

static void replace_one(uint32_t i) {
    disarm_one(life.of[i]);
    rt_free(life.of[i]);
    life.of[i] = new_modelled();
}

static void act(void) {
    uint32_t i = below(ALARMS);
    switch (below(8)) {
    case 0:
        replace_one(i);
        break;
    case 1:
    case 2:
        disarm_one(life.of[i]);
        break;
    default:
        arm_one(life.of[i]);
    }
}

static modelled *earliest(void) {
    modelled *best = NULL;
    for (int i = 0; i < ALARMS; i++) {
        modelled *m = life.of[i];
        if (m->armed && (!best || m->deadline < best->deadline ||
                         (m->deadline == best->deadline && m->order < best->order)))
            best = m;
    }
    return best;
}

static void on_modelled(rt_alarm *a) {
    modelled *m = RT_OF(a, modelled, alarm);
    assert_true(life.running);
    assert_ptr_equal(m, earliest());
    assert_true(m->deadline <= life.now);
    m->armed = false;
    life.fired++;
    for (uint32_t n = below(3); n > 0; n--)
        act(); /* it may free m */
}

static void test_a_random_life(void **state) {
    (void)state;
    life.seed = 0x9e3779b97f4a7c15u;
    rt_alarms_init(&life.all);
    for (int i = 0; i < ALARMS; i++)
        life.of[i] = new_modelled();
    for (int step = 0; step < STEPS; step++) {
        act();
        if (below(4) == 0) {
            life.now += below(15);
            life.running = true;
            rt_alarms_run(&life.all, life.now);
            life.running = false;
            assert_true(!earliest() || earliest()->deadline > life.now);
        }
        assert_ptr_equal(life.all.top, earliest() ? &earliest()->alarm : NULL);
    }
    assert_true(life.fired > STEPS / 4);
    for (int i = 0; i < ALARMS; i++) {
        disarm_one(life.of[i]);
        rt_free(life.of[i]);
    }
    assert_null(life.all.top);
    assert_int_equal(rt_alloc_live(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_any_deadline, set_up),
        cmocka_unit_test_setup(test_same_deadline_in_order_of_arming, set_up),
        cmocka_unit_test_setup(test_arming_again_and_disarming, set_up),
        cmocka_unit_test_setup(test_what_a_callback_arms_waits_for_a_later_run, set_up),
        cmocka_unit_test_setup(test_a_callback_disarms_one_that_is_due, set_up),
        cmocka_unit_test_setup(test_a_callback_frees_its_alarm, set_up),
        cmocka_unit_test_setup(test_a_random_life, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
