/* Who may ask the web process next: a queue (line) for each site, and slots for all requests.
 *
 * Sites take turns, so nobody waits behind another site's crowd. One site takes at most three
 * quarters of the free slots, so a site that hangs leaves slots to the others. In a line, known
 * users go first; every fourth turn is for the unknown, who take turns by address, so that one
 * address that sends a crowd delays itself most. Sites that never let a user in may be
 * made-up names: together they get every second turn.
 *
 * A late request gives its slot back, but stays in flight.
 *
 * A site that says "not now", or is late, is asked one question at a time:
 *
 *            "not now", or late                    the pause is over
 *     OPEN ────────────────────► PAUSED ──────────────────────────► DUE ──► OPEN (nobody
 *      ▲                          ▲                                 │  ▲          asks for long)
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
#include "base/slice.h"

#define RT_LINE_CROWDS 16            /* addresses of unknown users are dealt to so many queues */
#define RT_LINE_PAUSE_FIRST_MS 250   /* between two questions to a site that is away ... */
#define RT_LINE_PAUSE_MAX_MS 4000    /* ... doubles up to this; jitter adds up to a quarter */
#define RT_LINE_RETRY_AFTER_MS 60000 /* longest Retry-After that is followed */
#define RT_LINE_FORGET_MS 60000      /* then a site that nobody asks counts as back */
#define RT_LINE_HELD_MAX 1000        /* sites kept in memory for that */
#define RT_LINE_FAILURES 8           /* useless answers in a row: the site is away */
#define RT_LINE_NEEDED_MAX_MS 60000  /* a slower request is late at any site */

#define RT_TURN_KNOWN RT_LINE_CROWDS

enum rt_line_state { RT_LINE_OPEN, RT_LINE_PAUSED, RT_LINE_DUE, RT_LINE_PROBING };

enum rt_turn_state { RT_TURN_NONE, RT_TURN_WAITS, RT_TURN_FLIES, RT_TURN_LATE };

/* One question's place in all this. */
typedef struct rt_turn {
    rt_list node; /* in its line while it waits */
    uint64_t flown_at;
    uint8_t state; /* enum rt_turn_state */
    uint8_t crowd; /* index of rt_line.waits */
    bool probe;    /* the one question to a site that is PROBING */
} rt_turn;

typedef struct rt_turns rt_turns;

/* Those of one site. */
typedef struct rt_line {
    rt_list node;                      /* in rt_turns.ready while somebody may fly */
    rt_list waits[RT_LINE_CROWDS + 1]; /* rt_turn.node: unknown users by crowd, then known ones */
    rt_turns *all;
    rt_alarm alarm; /* the end of PAUSED or DUE */
    uint64_t answered_at;
    uint32_t waiting, flying; /* flying: late ones, too */
    uint32_t pause_ms;        /* the next one */
    uint32_t needed_ms;       /* for an answer, lately */
    uint8_t state;            /* enum rt_line_state */
    uint8_t known_in_a_row;
    uint8_t next_crowd; /* whose turn it is among the unknown */
    uint8_t failures;   /* useless answers since the last useful one */
    bool proven;        /* it has let a user in */
    rt_list held;       /* in rt_turns.held while the line is away and must stay */
} rt_line;

typedef struct rt_turns_ops {
    void *ctx;
    /* Sends the question of t. May call rt_turn_end for t, and nothing else of this header. */
    void (*fly)(void *ctx, rt_turn *t);
    /* Keeps the line's site in memory, until rele. */
    void (*hold)(rt_line *l);
    void (*rele)(rt_line *l);
    uint64_t (*now)(void *ctx);
} rt_turns_ops;

struct rt_turns {
    rt_turns_ops ops;
    rt_alarms *alarms;
    rt_random random;
    uint8_t seed[16]; /* of rt_turns_crowd */
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
void rt_turns_set_slots(rt_turns *all, uint32_t slots); /* 0: sends no more */
void rt_turns_fini(rt_turns *all); /* no turn waits or flies; releases the lines */

/* The crowd of an address, by lot. */
uint8_t rt_turns_crowd(const rt_turns *all, rt_slice address);

void rt_line_init(rt_line *l);
void rt_line_fini(rt_line *l); /* nobody waits or flies */
/* The site counts as back; releases it. */
void rt_line_calm(rt_line *l);
/* Time after which a request to this site is late: `ms`, or twice what the site lately needed. */
uint32_t rt_line_late_after(const rt_line *l, uint32_t ms);

void rt_turn_init(rt_turn *t);
/* Queues t, in a crowd or as RT_TURN_KNOWN. It may be sent before this returns. */
void rt_turn_wait(rt_turn *t, rt_line *l, rt_turns *all, uint8_t crowd);
/* A useful answer came. */
void rt_turn_answered(rt_turn *t, rt_line *l);
/* No answer came, or "not now" with a Retry-After. True: the site is away, so queue t again; false:
 * only this question failed. */
bool rt_turn_not_now(rt_turn *t, rt_line *l, uint32_t retry_after_ms);
/* A useless answer came. The result is as above. */
bool rt_turn_failed(rt_turn *t, rt_line *l);
/* The request takes too long. True: the site is away, since it answered nothing meanwhile. */
bool rt_turn_late(rt_turn *t, rt_line *l);
/* Takes t out of the queue, or out of those in flight. Harmless when it is in neither. */
void rt_turn_end(rt_turn *t, rt_line *l);

#endif
