/* Marks for callgrind, called through ctypes: what was counted since the last one is written to a
 * file, and counting begins anew. Outside valgrind nothing happens. */
#include <valgrind/callgrind.h>

void mark(void);
void mark(void) {
    CALLGRIND_DUMP_STATS;
}
