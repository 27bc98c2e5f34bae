/* Log lines, handed to one sink: the level, the part of the server that logs, the text. In each
 * line, what a terminal would obey is replaced (shown.h), wherever the text is from.
 *
 * Ownership: the sink is process-wide and set once, before threads start (not atomic). Thread: any;
 * the sink must be thread-safe and must not block. A line never holds credentials: cookies, tokens
 * and passwords are left out by the caller. */
#ifndef RT_BASE_LOG_H
#define RT_BASE_LOG_H

#include "base/status.h"

#include <stdint.h>

enum rt_log_level { RT_LOG_DEBUG, RT_LOG_INFO, RT_LOG_WARN, RT_LOG_ERROR };

typedef void rt_log_sink(enum rt_log_level level, const char *part, const char *text);

void rt_log_set_sink(rt_log_sink *sink, enum rt_log_level least); /* NULL: no lines */
void rt_log(enum rt_log_level level, const char *part, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Limits one kind of line to one each `every_ms`. The gate is the caller's memory, zero at first.
 * True: log the line; `reported` then says how many lines before it were left out. */
typedef struct rt_log_gate {
    uint64_t last_ms;
    uint32_t skipped;  /* since the last line */
    uint32_t reported; /* what was skipped before the line now allowed */
} rt_log_gate;
RT_MUST_CHECK int rt_log_allowed(rt_log_gate *gate, uint64_t now_ms, uint32_t every_ms);

/* " (3 more since the last such line)" for the end of the line now allowed, or "" when none was
 * left out. Returns `text`, which has RT_LOG_MORE bytes. */
#define RT_LOG_MORE 48
const char *rt_log_more(const rt_log_gate *gate, char *text);

#endif
