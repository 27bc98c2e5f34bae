/* One sink for log lines. */
#include "base/log.h"

#include "base/shown.h"

#include <stdarg.h>
#include <stdio.h>

#define LINE_MAX_BYTES 1024 /* longer lines are cut */

static rt_log_sink *the_sink;
static enum rt_log_level the_least;

void rt_log_set_sink(rt_log_sink *sink, enum rt_log_level least) {
    the_sink = sink;
    the_least = least;
}

/* The line was cut, perhaps inside its last character: that goes, so that the rest is UTF-8. */
static void drop_cut_character(char text[LINE_MAX_BYTES]) {
    size_t n = LINE_MAX_BYTES - 1;
    while (n > 0 && ((unsigned char)text[n - 1] & 0xc0) == 0x80)
        n--;
    if (n > 0 && (unsigned char)text[n - 1] >= 0xc0)
        n--;
    text[n] = '\0';
}

void rt_log(enum rt_log_level level, const char *part, const char *fmt, ...) {
    if (!the_sink || level < the_least)
        return;
    char text[LINE_MAX_BYTES];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (n < 0)
        return;
    if ((size_t)n >= sizeof text)
        drop_cut_character(text);
    rt_shown_clean(text);
    the_sink(level, part, text);
}

int rt_log_allowed(rt_log_gate *gate, uint64_t now_ms, uint32_t every_ms) {
    if (gate->last_ms && now_ms < gate->last_ms + every_ms) {
        if (gate->skipped < UINT32_MAX)
            gate->skipped++;
        return 0;
    }
    gate->last_ms = now_ms ? now_ms : 1; /* 0 means "never yet" */
    gate->reported = gate->skipped;
    gate->skipped = 0;
    return 1;
}

const char *rt_log_more(const rt_log_gate *gate, char *text) {
    *text = '\0';
    if (gate->reported)
        snprintf(text, RT_LOG_MORE, " (%u more since the last such line)", gate->reported);
    return text;
}
