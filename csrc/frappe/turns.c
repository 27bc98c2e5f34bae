/* Slots, lines, turns. */
#include "frappe/turns.h"

#include "base/digest.h"
#include "base/status.h"

#include <string.h>

#define ADDRESS_MAX 64   /* bytes that count */
#define KNOWN_IN_A_ROW 3 /* then an unknown one */

static uint64_t now_of(const rt_turns *all) {
    return all->ops.now(all->ops.ctx);
}

/* --- who may fly --- */

static bool may_fly(const rt_line *l) {
    const rt_turns *all = l->all;
    if (l->state == RT_LINE_DUE)
        return true;
    uint32_t unused = all->slots - all->flying;
    return l->flying < 3 * unused && l->flying < all->slots - all->slots / 4;
}

/* Lists the line as ready, or takes it off that list. */
static void list(rt_line *l) {
    bool ready = l->waiting > 0 && (l->state == RT_LINE_OPEN || l->state == RT_LINE_DUE);
    if (ready == rt_list_linked(&l->node))
        return;
    if (ready)
        rt_list_push(&l->all->ready[l->proven], &l->node);
    else
        rt_list_unlink(&l->node);
}

static rt_line *first_that_may(const rt_list *ready) {
    for (rt_list *node = ready->next; node != ready; node = node->next) {
        rt_line *l = RT_OF(node, rt_line, node);
        if (may_fly(l))
            return l;
    }
    return NULL;
}

static rt_line *next_line(rt_turns *all) {
    rt_line *l = first_that_may(&all->ready[all->side]);
    if (!l)
        l = first_that_may(&all->ready[!all->side]);
    if (l)
        all->side = !l->proven;
    return l;
}

/* The first of the next crowd; NULL: no unknown user waits. */
static rt_list *next_unknown(const rt_line *l) {
    for (unsigned i = 0; i < RT_LINE_CROWDS; i++) {
        const rt_list *crowd = &l->waits[(l->next_crowd + i) % RT_LINE_CROWDS];
        if (!rt_list_empty(crowd))
            return crowd->next;
    }
    return NULL;
}

static rt_turn *next_in(rt_line *l) {
    rt_list *known = rt_list_first(&l->waits[RT_TURN_KNOWN]), *unknown = next_unknown(l);
    if (known && (!unknown || l->known_in_a_row < KNOWN_IN_A_ROW)) {
        l->known_in_a_row = unknown ? l->known_in_a_row + 1 : 0;
        return RT_OF(known, rt_turn, node);
    }
    rt_turn *t = RT_OF(unknown, rt_turn, node);
    l->known_in_a_row = 0;
    l->next_crowd = (t->crowd + 1) % RT_LINE_CROWDS;
    return t;
}

static void stop_waiting(rt_turn *t, rt_line *l) {
    rt_list_unlink(&t->node);
    l->waiting--;
    l->all->waiting--;
}

static void take_off(rt_turn *t, rt_line *l) {
    rt_turns *all = l->all;
    stop_waiting(t, l);
    t->state = RT_TURN_FLIES;
    t->flown_at = now_of(all);
    t->probe = l->state == RT_LINE_DUE;
    if (t->probe) {
        l->state = RT_LINE_PROBING;
        rt_alarm_disarm(&l->alarm);
    }
    l->flying++;
    all->flying++;
    rt_list_unlink(&l->node); /* to the end of the ready ones */
    list(l);
    all->ops.fly(all->ops.ctx, t);
}

static void go(rt_turns *all) {
    if (all->going)
        return;
    all->going = true;
    while (all->flying < all->slots) {
        rt_line *l = next_line(all);
        if (!l)
            break;
        take_off(next_in(l), l);
    }
    all->going = false;
}

/* --- a site that is away --- */

static void keep(rt_line *l) {
    if (rt_list_linked(&l->held) || l->all->held_count >= RT_LINE_HELD_MAX)
        return;
    rt_list_push(&l->all->held, &l->held);
    l->all->held_count++;
    l->all->ops.hold(l);
}

/* Call it last: the line may be freed. */
static void let_go(rt_line *l) {
    if (!rt_list_linked(&l->held))
        return;
    rt_list_unlink(&l->held);
    l->all->held_count--;
    l->all->ops.rele(l);
}

static void open_line(rt_line *l) {
    l->state = RT_LINE_OPEN;
    l->pause_ms = RT_LINE_PAUSE_FIRST_MS;
    l->failures = 0;
    rt_alarm_disarm(&l->alarm);
    list(l);
}

void rt_line_calm(rt_line *l) {
    open_line(l);
    let_go(l);
}

/* One question may be sent now. If none comes for long, the outage is forgotten. */
static void become_due(rt_line *l) {
    l->state = RT_LINE_DUE;
    rt_alarm_arm(l->all->alarms, &l->alarm, now_of(l->all) + RT_LINE_FORGET_MS);
    list(l);
}

static void on_alarm(rt_alarm *alarm) {
    rt_line *l = RT_OF(alarm, rt_line, alarm);
    rt_turns *all = l->all;
    if (l->state == RT_LINE_PAUSED || l->waiting > 0)
        become_due(l);
    else
        rt_line_calm(l);
    go(all);
}

/* Up to a quarter more, so that several servers do not ask in step. */
static uint32_t with_jitter(rt_turns *all, uint32_t ms) {
    uint16_t lot = 0;
    rt_status_ignore(rt_random_bytes(&all->random, &lot, sizeof lot));
    return ms + ms / 4 * lot / UINT16_MAX;
}

static void begin_pause(rt_line *l, uint32_t at_least_ms) {
    uint32_t ms = l->pause_ms;
    l->pause_ms = ms * 2 < RT_LINE_PAUSE_MAX_MS ? ms * 2 : RT_LINE_PAUSE_MAX_MS;
    if (at_least_ms > RT_LINE_RETRY_AFTER_MS)
        at_least_ms = RT_LINE_RETRY_AFTER_MS;
    l->state = RT_LINE_PAUSED;
    l->all->pauses++;
    rt_alarm_arm(l->all->alarms, &l->alarm,
                 now_of(l->all) + with_jitter(l->all, ms > at_least_ms ? ms : at_least_ms));
    list(l);
    keep(l);
}

/* --- the calls of others --- */

void rt_turns_init(rt_turns *all, rt_alarms *alarms, uint32_t slots, const rt_turns_ops *ops) {
    memset(all, 0, sizeof *all);
    all->ops = *ops;
    all->alarms = alarms;
    all->slots = slots;
    rt_random_init(&all->random);
    rt_status_ignore(rt_random_bytes(&all->random, all->seed, sizeof all->seed));
    rt_list_init(&all->ready[0]);
    rt_list_init(&all->ready[1]);
    rt_list_init(&all->held);
}

void rt_turns_fini(rt_turns *all) {
    while (!rt_list_empty(&all->held))
        rt_line_calm(RT_OF(rt_list_first(&all->held), rt_line, held));
}

void rt_turns_set_slots(rt_turns *all, uint32_t slots) {
    all->slots = slots;
    go(all);
}

uint8_t rt_turns_crowd(const rt_turns *all, rt_slice address) {
    char text[sizeof all->seed + ADDRESS_MAX];
    uint8_t digest[20];
    size_t n = address.n < ADDRESS_MAX ? address.n : ADDRESS_MAX;
    memcpy(text, all->seed, sizeof all->seed);
    if (n)
        memcpy(text + sizeof all->seed, address.p, n);
    rt_sha1(rt_slice_make(text, sizeof all->seed + n), digest);
    return digest[0] % RT_LINE_CROWDS;
}

void rt_line_init(rt_line *l) {
    memset(l, 0, sizeof *l);
    rt_list_init(&l->node);
    for (int i = 0; i <= RT_LINE_CROWDS; i++)
        rt_list_init(&l->waits[i]);
    rt_list_init(&l->held);
    rt_alarm_init(&l->alarm, on_alarm);
    l->pause_ms = RT_LINE_PAUSE_FIRST_MS;
}

void rt_line_fini(rt_line *l) {
    rt_alarm_disarm(&l->alarm);
    rt_list_unlink(&l->node);
}

uint32_t rt_line_late_after(const rt_line *l, uint32_t ms) {
    uint32_t needed =
        l->needed_ms < RT_LINE_NEEDED_MAX_MS / 2 ? l->needed_ms * 2 : RT_LINE_NEEDED_MAX_MS;
    return needed > ms ? needed : ms;
}

void rt_turn_init(rt_turn *t) {
    memset(t, 0, sizeof *t);
    rt_list_init(&t->node);
}

void rt_turn_wait(rt_turn *t, rt_line *l, rt_turns *all, uint8_t crowd) {
    t->state = RT_TURN_WAITS;
    t->crowd = crowd;
    l->all = all;
    l->waiting++;
    all->waiting++;
    rt_list_push(&l->waits[crowd], &t->node);
    list(l);
    go(all);
}

static void land(rt_turn *t, rt_line *l) {
    l->flying--;
    if (t->state == RT_TURN_FLIES)
        l->all->flying--;
    t->state = RT_TURN_NONE;
}

/* A long time counts at once, and fades. */
static void note_needed(rt_line *l, uint64_t took) {
    uint32_t ms = took < RT_LINE_NEEDED_MAX_MS ? (uint32_t)took : RT_LINE_NEEDED_MAX_MS;
    l->needed_ms = ms > l->needed_ms ? ms : l->needed_ms - (l->needed_ms - ms) / 8;
}

void rt_turn_answered(rt_turn *t, rt_line *l) {
    rt_turns *all = l->all;
    l->answered_at = now_of(all);
    note_needed(l, l->answered_at - t->flown_at);
    land(t, l);
    rt_line_calm(l);
    go(all);
}

/* A request that was sent before the site's last answer says nothing about the site now. */
static bool says_something(const rt_turn *t, const rt_line *l) {
    return t->probe || (l->state == RT_LINE_OPEN && l->answered_at <= t->flown_at);
}

bool rt_turn_not_now(rt_turn *t, rt_line *l, uint32_t retry_after_ms) {
    bool news = says_something(t, l);
    land(t, l);
    if (news)
        begin_pause(l, retry_after_ms);
    bool away = l->state != RT_LINE_OPEN;
    go(l->all);
    return away;
}

bool rt_turn_failed(rt_turn *t, rt_line *l) {
    if (l->failures < RT_LINE_FAILURES)
        l->failures++;
    if (t->probe || l->failures == RT_LINE_FAILURES)
        return rt_turn_not_now(t, l, 0);
    land(t, l);
    go(l->all);
    return l->state != RT_LINE_OPEN;
}

bool rt_turn_late(rt_turn *t, rt_line *l) {
    t->state = RT_TURN_LATE;
    l->all->flying--;
    if (!t->probe && says_something(t, l))
        begin_pause(l, 0);
    bool away = l->state != RT_LINE_OPEN;
    go(l->all);
    return away;
}

void rt_turn_end(rt_turn *t, rt_line *l) {
    if (t->state == RT_TURN_NONE)
        return;
    if (t->state == RT_TURN_WAITS) {
        stop_waiting(t, l);
        t->state = RT_TURN_NONE;
        list(l);
        return;
    }
    land(t, l);
    if (t->probe && l->state == RT_LINE_PROBING)
        become_due(l);
    go(l->all);
}
