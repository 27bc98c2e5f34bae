/* Where this process's log lines go: one write each, to a descriptor.
 *
 * A line never waits for who reads it. While the reader of a pipe, a socket or a terminal takes
 * nothing, lines are lost and counted; the first one that gets through is preceded by one that says
 * how many. The descriptor's own blocking mode is left alone: others may share it.
 *
 * Ownership: process-wide; the descriptor is the caller's. Thread: any. Fork: any time. */
#ifndef RT_PROCESS_LOG_SINK_H
#define RT_PROCESS_LOG_SINK_H

#include <stdint.h>

/* Lines of `level` (enum rt_log_level) and above go to `fd`. */
void rt_log_to(int level, int fd);

/* Lines that nobody took, since the process started. */
uint64_t rt_log_lines_lost(void);

#endif
