/* Writes this process's log lines to a descriptor, one write each.
 *
 * A line never waits for its reader. While the reader of a pipe, socket or terminal takes
 * nothing, lines are dropped and counted; before the next line that gets through, one says how
 * many. The descriptor's own blocking mode is not changed: others may share it.
 *
 * Ownership: process-wide; the descriptor is the caller's. Thread: any. Fork: any time. */
#ifndef RT_PROCESS_LOG_SINK_H
#define RT_PROCESS_LOG_SINK_H

#include <stdint.h>

/* Lines of `level` (enum rt_log_level) and above go to `fd`. */
void rt_log_to(int level, int fd);

/* Lines dropped since the process started. */
uint64_t rt_log_lines_lost(void);

#endif
