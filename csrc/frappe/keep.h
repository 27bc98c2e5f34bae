/* What is kept of a handshake until its client is let in: the fields that the rules read, and the
 * rest where somebody reads it. An attacker sends handshakes and nothing else, so each costs
 * little.
 *
 * Ownership: results are slices of the request. Thread: the loop's.
 * Must not know: how and where the copy is kept. */
#ifndef RT_FRAPPE_KEEP_H
#define RT_FRAPPE_KEEP_H

#include "base/status.h"
#include "wire/http.h"

/* Fills `kept` as rt_eio_app.keep says. `told`: handlers of apps are told of handshakes, so all of
 * it is kept. Else all of a small one is, since handlers may come before its login, and of a big
 * one the fields for the login. RT_OK; RT_ELIMIT: these are too big. */
RT_MUST_CHECK int rt_keep(bool told, const rt_http_request *req, rt_http_header *headers,
                          rt_http_request *kept);

#endif
