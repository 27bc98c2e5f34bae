/* Looks at clients and memory once a turn, and trims when a timer fires. */
#include "server/trim.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- what the system says --- */

/* The second number of /proc/self/statm, in pages (proc(5)). */
static size_t read_resident(void) {
    char text[128];
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *second = strchr(text, ' ');
    return second ? strtoul(second, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE) : 0;
}

/* It walks through what is free, so only who has grown asks. */
static bool read_heap(rt_trim_memory *m) {
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
    struct mallinfo2 info = mallinfo2();
    m->heap = info.arena;
    m->unused = info.fordblks;
    return true;
#else
    (void)m;
    return false;
#endif
}

/* --- when --- */

static void give_back(rt_trim *t) {
    t->most = t->now;
    t->trims++;
#ifdef __GLIBC__
    malloc_trim(0);
#endif
    t->least = t->resident();
}

static void look_at_memory(rt_trim *t) {
    rt_trim_memory m = {.resident = t->resident()};
    if (m.resident < t->least)
        t->least = m.resident;
    if (m.resident - t->least < RT_TRIM_GROWN || !t->measure(&m))
        return;
    if (m.unused >= RT_TRIM_GROWN && m.unused >= m.heap / RT_TRIM_FREE_PART)
        give_back(t);
}

static void on_due(rt_timerq *q, rt_timer *timer) {
    rt_trim *t = q->arg;
    if (timer == &t->after_growth) {
        t->has_looked = true;
        look_at_memory(t);
    } else if (t->most - t->now >= RT_TRIM_CLIENTS) { /* they did not come back */
        give_back(t);
    }
}

void rt_trim_init(rt_trim *t, rt_timers *timers) {
    *t = (rt_trim){.resident = read_resident, .measure = read_heap};
    t->least = t->resident();
    rt_timer_init(&t->after_mass);
    rt_timer_init(&t->after_growth);
    rt_timerq_init(&t->due, timers, RT_TRIM_AFTER_MS, on_due, t);
}

void rt_trim_fini(rt_trim *t) {
    rt_timerq_fini(&t->due);
}

/* The turn of the look itself is no reason for the next. */
void rt_trim_look(rt_trim *t, uint32_t connections, uint64_t now_ms) {
    t->now = connections;
    if (connections > t->most)
        t->most = connections;
    else if (t->most - connections >= RT_TRIM_CLIENTS && !rt_timer_armed(&t->after_mass))
        rt_timer_arm(&t->due, &t->after_mass, now_ms);
    if (!t->has_looked && !rt_timer_armed(&t->after_growth))
        rt_timer_arm(&t->due, &t->after_growth, now_ms);
    t->has_looked = false;
}
