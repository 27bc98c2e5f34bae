/* Text from outside, made fit for people to read: in a log, on a terminal, in a browser's console.
 *
 * Each of these becomes `?`: a control character (C0, DEL, C1), a separator of lines or paragraphs,
 * a mark that turns the direction of writing, a byte that is no UTF-8.
 *
 * Ownership: caller's memory. Thread: any. Must not know: where the text goes. */
#ifndef RT_BASE_SHOWN_H
#define RT_BASE_SHOWN_H

#include "base/buf.h"

#define RT_SHOWN_MAX 120 /* bytes of foreign text in a message */

/* Appends the text, cut after RT_SHOWN_MAX bytes. */
void rt_shown_put(rt_buf *b, rt_slice text);

/* The same in place, uncut. It never gets longer. */
void rt_shown_clean(char *text);

#endif
