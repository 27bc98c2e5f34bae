/* Whose turn it is to ask the web process.
 *
 * There are so many slots for requests, and a line of those who wait in front of each site. Sites
 * take turns, so that nobody waits behind another site's crowd; no site takes more than three
 * quarters of what is free, so that one that hangs leaves slots to the rest. In a line the known go
 * first, and every fourth turn is for the others. Sites that have never let anybody in may be
 * made-up names: all of them together get every second turn.
 *
 * A request that is late gives its slot to others, but it is not given up.
 *
 * A site that says "not now", or nothing for too long, is asked one question at a time:
 *
 *            "not now", or late                    the pause is over
 *     OPEN ────────────────────► PAUSED ──────────────────────────► DUE ──► OPEN (nobody has
 *      ▲                          ▲                                 │  ▲          asked for long)
 *      │                          │ "not now": a longer pause  one  │  │ cancelled
 *      │ any answer               │                           flies ▼  │
 *      └──────────────────────────┴────────────────────────────── PROBING
 *
 * Ownership: lines and turns are inside something of the caller's. Thread: the loop's.
 * Must not know: what is asked, how it is sent, who waits. */
#ifndef RT_FRAPPE_TURNS_H
#define RT_FRAPPE_TURNS_H

#include "base/alarm.h"
#include "base/list.h"
#include "base/random.h"

#define RT_LINE_PAUSE_FIRST_MS 250   /* between two questions to a site that says "not now" ... */
#define RT_LINE_PAUSE_MAX_MS 4000    /* ... doubling up to this, and up to a quarter more by lot */
#define RT_LINE_RETRY_AFTER_MS 60000 /* the longest Retry-After that is followed */
#define RT_LINE_FORGET_MS 60000      /* a site that nobody asks is taken for well again */
#define RT_LINE_HELD_MAX 1000        /* sites kept for that with no other reason to keep them */
#define RT_LINE_FAILURES 8           /* useless answers in a row that tell of the site */
#define RT_LINE_NEEDED_MAX_MS 60000  /* a site that needs longer is late nevertheless */

enum rt_line_state { RT_LINE_OPEN, RT_LINE_PAUSED, RT_LINE_DUE, RT_LINE_PROBING };

enum rt_turn_state { RT_TURN_NONE, RT_TURN_WAITS, RT_TURN_FLIES, RT_TURN_LATE };

/* One who wants to ask. All zero but for rt_turn_init. */
typedef struct rt_turn {
    rt_list node; /* in its line while it waits */
    uint64_t flown_at;
    uint8_t state; /* enum rt_turn_state */
    bool known;
    bool probe; /* the one question to a site that is PROBING */
} rt_turn;

typedef struct rt_turns rt_turns;

/* Those of one site. */
typedef struct rt_line {
    rt_list node;     /* in rt_turns.ready while somebody may fly */
    rt_list waits[2]; /* rt_turn.node: the others, the known */
    rt_turns *all;
    rt_alarm alarm; /* the end of PAUSED or DUE */
    uint64_t answered_at;
    uint32_t waiting, flying; /* flying: late ones, too */
    uint32_t pause_ms;        /* the next one */
    uint32_t needed_ms;       /* for an answer, lately */
    uint8_t state;            /* enum rt_line_state */
    uint8_t known_in_a_row;
    uint8_t failures; /* useless answers since the last useful one */
    bool proven;      /* it has let somebody in */
    rt_list held;     /* in rt_turns.held while the line is away and must stay */
} rt_line;

typedef struct rt_turns_ops {
    void *ctx;
    /* It is its turn; it flies now. It may be ended from inside, but nothing else may be called. */
    void (*fly)(void *ctx, rt_turn *t);
    /* The line must stay, until rele. */
    void (*hold)(rt_line *l);
    void (*rele)(rt_line *l);
    uint64_t (*now)(void *ctx);
} rt_turns_ops;

struct rt_turns {
    rt_turns_ops ops;
    rt_alarms *alarms;
    rt_random random;
    rt_list ready[2]; /* rt_line.node: of unproven sites, of proven ones */
    rt_list held;     /* rt_line.held */
    uint32_t slots;
    uint32_t flying; /* those that hold a slot */
    uint32_t waiting, held_count;
    uint64_t pauses; /* begun so far */
    uint8_t side;    /* which of `ready` is next */
    bool going;
};

void rt_turns_init(rt_turns *all, rt_alarms *alarms, uint32_t slots, const rt_turns_ops *ops);
void rt_turns_set_slots(rt_turns *all, uint32_t slots); /* 0: nobody flies any more */
void rt_turns_fini(rt_turns *all); /* nobody waits or flies; releases the lines that it holds */

void rt_line_init(rt_line *l);
void rt_line_fini(rt_line *l); /* nobody waits or flies */
/* Forgets that the site was away; releases it. */
void rt_line_calm(rt_line *l);
/* How long a request to this site may take before it is late: `ms`, or more if it lately needed
 * more. */
uint32_t rt_line_late_after(const rt_line *l, uint32_t ms);

void rt_turn_init(rt_turn *t);
/* It stands in line; it may fly before this returns. */
void rt_turn_wait(rt_turn *t, rt_line *l, rt_turns *all, bool known);
/* The web process has answered it. */
void rt_turn_answered(rt_turn *t, rt_line *l);
/* It got no answer, or one that says "not now", to wait for `retry_after_ms`. True: so it is with
 * the site, stand in line again; false: with this question alone. */
bool rt_turn_not_now(rt_turn *t, rt_line *l, uint32_t retry_after_ms);
/* It got an answer that is of no use. True: as above, for the site gives nothing else. */
bool rt_turn_failed(rt_turn *t, rt_line *l);
/* It has been flying for long. True: so it is with the site, which has answered nothing since. */
bool rt_turn_late(rt_turn *t, rt_line *l);
/* It neither waits nor flies any more; harmless when it did not. */
void rt_turn_end(rt_turn *t, rt_line *l);

#endif
