/* The origins that configuration allows besides the same host, and how an entry is compared with an
 * Origin header.
 *
 * Ownership: the caller's. Thread: any. Must not know: where the list is from. */
#ifndef RT_FRAPPE_ORIGINS_H
#define RT_FRAPPE_ORIGINS_H

#include "base/slice.h"

/* True when the list names this Origin. Entries are separated by commas: `https://a.example`, with
 * or without a port; `a.example` for any scheme and port; `null`; `*`. */
bool rt_origins_name(rt_slice list, rt_slice origin);

#endif
