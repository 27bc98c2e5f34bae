/* Initialisation that must come before any other use of process/ and publish/.
 *
 * Ownership: process-wide. Thread: any. */
#ifndef RT_PROCESS_PROCESS_H
#define RT_PROCESS_PROCESS_H

#include "base/status.h"

/* Prepares conditions and fork handlers; later calls do nothing. RT_OK or RT_ENOMEM. */
RT_MUST_CHECK int rt_process_init(void);

#endif
