/* One question to the web process, and its waiters.
 *
 * A question is a site, a kind and a subject. While it is in flight, equal questions join it and
 * share its answer. Afterwards the answer is cached for a short time: as a question in state
 * ANSWERED, or, for an accepted login, as an identity in rt_logins (logins.h). Only an answer
 * settles a question: without one it is retried as long as somebody waits. If the whole site is
 * away, it queues again (turns.h); if the site answers other questions, it rests with backoff. A
 * slow request is neither given up nor sent a second time while somebody waits for it.
 *
 *          read the secret      its turn          a usable answer
 *     new ──► SECRET ──────► LINE ────────► FLYING ─────────────────► ANSWERED ──► gone
 *               ▲             ▲              │ │
 *               │             │ site is away │ │ no usable answer
 *               │             └──────────────┤ ▼
 *               │               `{}`, once   │ RESTING ──► gone (nobody waits)
 *               └────────────────────────────┴──┘
 *
 * Ownership: rt_asker owns the questions; waiters are the callers', inside something of theirs.
 * Thread: the loop's. Must not know: which question fits a subject (ask.h), sockets, rooms. */
#ifndef RT_FRAPPE_QUESTION_H
#define RT_FRAPPE_QUESTION_H

#include "base/log.h"
#include "base/status.h"
#include "base/timers.h"
#include "frappe/identity.h"
#include "frappe/logins.h"
#include "frappe/regulars.h"
#include "frappe/secret.h"

typedef struct rt_asker rt_asker;
typedef struct rt_question rt_question;
typedef struct rt_ask_kind rt_ask_kind;

enum rt_verdict {
    RT_VERDICT_YES,
    RT_VERDICT_NO,
    RT_VERDICT_NONE, /* no answer within the waiter's patience */
};

/* What an answer means to the kind of question it answers. */
enum rt_meaning {
    RT_MEANS_YES,
    RT_MEANS_NO,
    RT_MEANS_NOTHING,      /* the web process is away or out of order: ask again later */
    RT_MEANS_ASK_AGAIN,    /* at once; the kind has changed what its next path will be */
    RT_MEANS_WRONG_SECRET, /* at once with a fresh secret; the second time it means no */
};

/* A waiter. Init it with rt_waiter_init; it waits while `node` is linked. */
typedef struct rt_waiter {
    rt_list node; /* in rt_question.waiters */
    rt_timer patience;
    rt_question *question; /* NULL while the answer is given out */
} rt_waiter;

struct rt_ask_kind {
    const char *what; /* for the log */
    /* Appends the path of the next request, with its query. */
    RT_MUST_CHECK int (*put_path)(rt_question *q, rt_buf *path);
    /* Called with status 200 and the `message` of the JSON body (empty: there is none), or with 404
     * or 417. With RT_MEANS_YES it may have set q->who. */
    enum rt_meaning (*judge)(rt_question *q, int status, rt_slice message);
    /* Called once for each waiter that has not left. `who` is borrowed from the question. */
    void (*answered)(rt_asker *a, rt_waiter *w, enum rt_verdict verdict, rt_identity *who);
};

enum rt_question_state {
    RT_QUESTION_SECRET,
    RT_QUESTION_LINE,
    RT_QUESTION_FLYING,
    RT_QUESTION_RESTING,
    RT_QUESTION_ANSWERED
};

struct rt_question {
    rt_asker *asker;
    const rt_ask_kind *kind;
    rt_site *site;
    rt_identity *who; /* whom it is about; for a login: the answer, once known */
    void *call;       /* the request in flight */
    rt_list node;     /* in rt_asker.open or .answered */
    rt_list waiters;
    union {
        struct {          /* before ANSWERED */
            rt_alarm due; /* RESTING: time of the next request; FLYING: the request is late */
            rt_turn turn;
        };
        rt_timer kept; /* ANSWERED: time to forget it */
    };
    uint32_t rest_ms;        /* length of the next rest */
    uint32_t secret_version; /* of the secret in the last request */
    uint8_t state;           /* enum rt_question_state */
    uint8_t crowd;           /* by the address of who asked first (turns.h) */
    uint8_t endpoint;        /* for the kind: the method that was asked */
    bool other_tried;        /* for the kind: the other method was asked, too */
    bool wrong_secret;       /* RT_MEANS_WRONG_SECRET came: the next request needs a fresh secret */
    bool listed;             /* in rt_asker.questions: others may join */
    bool login;              /* asks whose a credential is */
    bool refused;            /* ANSWERED: no */
    uint32_t key_len;
    char key[];
};

typedef struct rt_asker_opts {
    uint32_t patience_ms;
    uint32_t late_ms;   /* after it a request is late; one that nobody waits for is given up */
    uint32_t in_flight; /* requests at one time */
    uint32_t keep_ms;   /* 0: answers are not kept */
    uint32_t keep_refused_ms;
    uint32_t keep_max; /* logins, and as many other answers */
} rt_asker_opts;

struct rt_asker {
    const rt_frappe_ports *ports;
    rt_asker_opts opts;
    uint64_t *counters; /* rt_frappe_counters.v */
    rt_sites sites;
    rt_turns turns;
    rt_regulars regulars;
    rt_logins logins;
    rt_map questions; /* by key */
    rt_list open;     /* not answered yet */
    rt_list answered; /* kept answers, oldest first */
    rt_alarms *alarms;
    rt_timerq keep; /* answers */
    rt_timerq keep_refused;
    rt_timerq patience;
    rt_secret secret;
    rt_log_gate away_gate, back_gate, secret_gate;
    uint32_t open_count, waiting;
    uint32_t kept; /* in answered; rt_logins counts its own */
};

/* The subject of a question: the login of a credential (`who` NULL), or something about `who`. */
typedef struct rt_subject {
    const rt_ask_kind *kind;
    rt_site *site;
    rt_identity *who;
    rt_slice first;  /* kind of credential; or doctype */
    rt_slice second; /* its value; or name */
    rt_slice from;   /* the client's address, as far as it is known */
} rt_subject;

/* Appends the key under which equal questions find each other. */
RT_MUST_CHECK int rt_question_put_key(const rt_subject *s, rt_buf *key);
/* A new question: open, no request sent yet. NULL: no memory. */
RT_MUST_CHECK rt_question *rt_question_new(rt_asker *a, const rt_subject *s, rt_slice key);
void rt_question_proceed(rt_question *q); /* towards its next request */
void rt_question_unlist(rt_question *q);  /* nobody can join it any more */
void rt_question_drop(rt_question *q);    /* it must have no waiters */
/* Sets the two parts of its subject, as in rt_subject. */
void rt_question_subject(const rt_question *q, rt_slice *first, rt_slice *second);

void rt_waiter_init(rt_waiter *w);
void rt_waiter_join(rt_waiter *w, rt_question *q);
void rt_waiter_leave(rt_waiter *w); /* no answer will come; harmless when it does not wait */
void rt_waiter_stop(rt_waiter *w);  /* only stops waiting: keeps q, and the node stays linked */
static inline bool rt_waiter_waits(const rt_waiter *w) {
    return rt_list_linked(&w->node);
}

/* Callbacks for the queues, the lines and the secret of rt_asker. */
void rt_question_kept(rt_timerq *timers, rt_timer *t);
void rt_question_fly(void *asker, rt_turn *turn);
void rt_question_secret_came(void *asker, int status);
void rt_waiter_patience_over(rt_timerq *timers, rt_timer *t);

#endif
