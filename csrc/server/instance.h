/* The insides of the running server, shared by server/'s files: every layer's object and its
 * wiring.
 *
 * Ownership: made by server.c, used by the loop's thread alone until it ends. */
#ifndef RT_SERVER_INSTANCE_H
#define RT_SERVER_INSTANCE_H

#include "frappe/frappe.h"
#include "net/front.h"
#include "net/redis.h"
#include "net/webclient.h"
#include "server/config.h"
#include "server/config_sites.h"
#include "server/forward.h"
#include "server/hosts.h"
#include "server/local.h"
#include "server/shut_down.h"
#include "server/trim.h"

#include <pthread.h>

typedef struct rt_instance {
    rt_config config;
    rt_config_sites *sites; /* what is read again while it runs */
    rt_loop loop;
    rt_eio *eio;
    rt_sio *sio;
    rt_frappe *frappe;
    rt_front *front;
    rt_web *web;
    rt_redis *redis; /* NULL: not used */
    rt_local *local; /* NULL: none, or not yet */
    rt_local_opening local_opening;
    rt_hosts *hosts;
    rt_local_line_counters local_lines;
    rt_forward forward;
    rt_loop_hook reap_hook;
    rt_trim trim;
    pthread_t thread;
    struct rt_instance *next_late; /* of those that were not waited for any longer */
    uint64_t started_ms;
    uint32_t patience_ms; /* of the end with what is owed; written before the word to stop */
    rt_last_words last_words;
    bool handed; /* the sockets it listens on are somebody else's, and stay when it ends */
    bool stopping;
} rt_instance;

/* Fills the table of what Frappe's rules need from outside (ports.c). */
rt_frappe_ports rt_instance_ports(rt_instance *in);
/* Appends all figures as a JSON object (stats.c). */
int rt_instance_put_stats(const rt_instance *in, rt_buf *out);
/* How handler hosts are reached (host_socket.c). */
extern const rt_host_link rt_host_socket_link;
/* Answers /health and tells what this is (routes.c). */
int rt_instance_route(void *in, const rt_http_request *req, rt_buf *body, const char **type);

#endif
