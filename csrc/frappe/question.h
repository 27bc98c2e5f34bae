/* One question to the web process, and those who wait for its answer.
 *
 * A question is a site, a kind, and what it is about. While it is in flight, others who ask the
 * same wait for the same answer. Afterwards the answer is kept for a short time: as a question that
 * is ANSWERED, or, of a login that told who it is, in rt_logins (logins.h). Only an answer counts:
 * while the web process is away the question rests and is asked again, with backoff, for as long as
 * somebody waits.
 *
 *            read the secret                     a usable answer
 *     new ──► SECRET ──────────► FLYING ─────────────────────────► ANSWERED ──► gone (time is over,
 *               ▲                 │  ▲ │                                         too many kept,
 *               │   `{}`, once    │  │ │ no usable answer                        forgotten)
 *               ├─────────────────┘  │ ▼
 *               │                    RESTING ──► gone (nobody waits any more)
 *               └─────────────────────┘ (secret unknown)
 *
 * Ownership: rt_asker owns the questions; waiters are the callers', inside something of theirs.
 * Thread: the loop's. Must not know: which question fits a subject (ask.h), sockets, rooms. */
#ifndef RT_FRAPPE_QUESTION_H
#define RT_FRAPPE_QUESTION_H

#include "base/log.h"
#include "base/timers.h"
#include "frappe/identity.h"
#include "frappe/logins.h"
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

/* One who waits. Init it with rt_waiter_init; it is waiting while `node` is linked. */
typedef struct rt_waiter {
    rt_list node; /* in rt_question.waiters */
    rt_timer patience;
    rt_question *question; /* NULL once the answer is being given out */
} rt_waiter;

struct rt_ask_kind {
    const char *what; /* for the log */
    /* Appends the path of the next request, with its query. */
    int (*put_path)(rt_question *q, rt_buf *path);
    /* A status 200 with the `message` of its JSON body (empty: it has none), or 404 or 417. With
     * RT_MEANS_YES it may have set q->who. */
    enum rt_meaning (*judge)(rt_question *q, int status, rt_slice message);
    /* Comes once to each waiter that has not left. `who` is the question's, borrowed. */
    void (*answered)(rt_asker *a, rt_waiter *w, enum rt_verdict verdict, rt_identity *who);
};

enum rt_question_state {
    RT_QUESTION_SECRET,
    RT_QUESTION_FLYING,
    RT_QUESTION_RESTING,
    RT_QUESTION_ANSWERED
};

struct rt_question {
    rt_asker *asker;
    const rt_ask_kind *kind;
    rt_site *site;
    rt_identity *who; /* about him it is asked; of a login: who it is, once that is known */
    void *call;       /* the request in flight */
    rt_list node;     /* in rt_asker.open or .answered */
    rt_list waiters;
    union {
        rt_alarm again; /* until it is ANSWERED; armed while RESTING: the next request is due */
        rt_timer kept;  /* ANSWERED: to be forgotten */
    };
    uint32_t rest_ms;        /* how long it rests the next time */
    uint32_t secret_version; /* of the secret in the last request */
    uint8_t state;           /* enum rt_question_state */
    uint8_t endpoint;        /* the kind's: which method was asked */
    bool other_tried;        /* the kind's: both methods have been */
    bool wrong_secret;       /* RT_MEANS_WRONG_SECRET came: the next request has a fresh one */
    bool listed;             /* in rt_asker.questions: others may join */
    bool login;              /* asked for nobody yet: who a credential is */
    bool refused;            /* ANSWERED: no */
    uint32_t key_len;
    char key[];
};

typedef struct rt_asker_opts {
    uint32_t patience_ms;
    uint32_t keep_ms; /* 0: answers are not kept */
    uint32_t keep_refused_ms;
    uint32_t keep_max; /* logins, and as many other answers */
} rt_asker_opts;

struct rt_asker {
    const rt_frappe_ports *ports;
    rt_asker_opts opts;
    uint64_t *counters; /* rt_frappe_counters.v */
    rt_sites sites;
    rt_logins logins;
    rt_map questions; /* by key */
    rt_list open;     /* not answered yet */
    rt_list answered; /* kept answers, oldest first */
    rt_alarms *alarms;
    rt_timerq keep; /* answers */
    rt_timerq keep_refused;
    rt_timerq patience;
    rt_secret secret;
    rt_log_gate gate;
    uint32_t open_count, waiting;
    uint32_t kept; /* in answered; rt_logins counts its own */
};

/* What is asked: the login of a credential (`who` NULL), or something about `who`. */
typedef struct rt_subject {
    const rt_ask_kind *kind;
    rt_site *site;
    rt_identity *who;
    rt_slice first;  /* kind of credential; or doctype */
    rt_slice second; /* its value; or name */
} rt_subject;

/* Appends the key under which equal questions find each other. */
int rt_question_put_key(const rt_subject *s, rt_buf *key);
/* A new question, open, with no request on its way; NULL: no memory. */
rt_question *rt_question_new(rt_asker *a, const rt_subject *s, rt_slice key);
void rt_question_proceed(rt_question *q); /* towards its next request */
void rt_question_unlist(rt_question *q);  /* nobody may join it any more */
void rt_question_drop(rt_question *q);    /* it has no waiters */
/* The two parts of what it is about, as in rt_subject. */
void rt_question_subject(const rt_question *q, rt_slice *first, rt_slice *second);

void rt_waiter_init(rt_waiter *w);
void rt_waiter_join(rt_waiter *w, rt_question *q);
void rt_waiter_leave(rt_waiter *w); /* no answer will come; harmless when it does not wait */
void rt_waiter_stop(rt_waiter *w);  /* without asking who else waits; the node stays linked */
static inline bool rt_waiter_waits(const rt_waiter *w) {
    return rt_list_linked(&w->node);
}

/* Callbacks for the queues and the secret of rt_asker. */
void rt_question_kept(rt_timerq *timers, rt_timer *t);
void rt_question_secret_came(void *asker, int status);
void rt_waiter_patience_over(rt_timerq *timers, rt_timer *t);

#endif
