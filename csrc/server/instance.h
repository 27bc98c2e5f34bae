/* One running server: the objects of all layers and their wiring. `instance.c` builds and frees it;
 * the other files of server/ are its parts.
 *
 * It knows nothing of the process around it. What it needs from there is in rt_surroundings.
 *
 * Ownership: rt_instance_new/free. Thread: until rt_instance_run the one that built it, during the
 * run the one that runs it. Must not know: threads, forks, Python. */
#ifndef RT_SERVER_INSTANCE_H
#define RT_SERVER_INSTANCE_H

#include "base/status.h"
#include "config/config.h"
#include "config/sites.h"
#include "frappe/frappe.h"
#include "hosts/hosts.h"
#include "net/front.h"
#include "net/redis.h"
#include "net/webclient.h"
#include "server/forward.h"
#include "server/listeners.h"
#include "server/local_socket.h"
#include "server/shut_down.h"
#include "server/trim.h"

/* What a server needs from the process that it runs in. */
typedef struct rt_surroundings {
    const rt_handed *handed;                    /* sockets to listen on instead of its own */
    void (*on_wake)(struct rt_instance *in);    /* rt_loop_wake was called for in->loop */
    RT_MUST_CHECK int (*reload_handlers)(void); /* RT_OK; RT_ENOENT: this process supervises none */
    uint64_t (*log_lines_lost)(void);           /* since the process started */
} rt_surroundings;

typedef struct rt_instance {
    rt_surroundings around;
    rt_config config;
    rt_config_sites *sites; /* the origins that sites allow, read again while it runs */
    rt_loop loop;
    rt_eio *eio;
    rt_sio *sio;
    rt_frappe *frappe;
    rt_front *front;
    rt_web *web;
    rt_redis *redis; /* NULL: Redis is not used */
    rt_local *local; /* NULL: there is no local socket, or not yet */
    rt_local_opening local_opening;
    rt_hosts *hosts;
    rt_local_line_counters local_lines;
    rt_forward forward;
    rt_loop_hook reap_hook;
    rt_trim trim;
    rt_unix_file uds_file; /* of socketio_uds; empty: none, or not ours */
    uint64_t started_ms;
    rt_last_words last_words;
    bool handed;    /* its listening sockets were handed over: others may listen on them, too */
    rt_taken taken; /* those that were handed over */
    bool stopping;
} rt_instance;

/* Builds a server that already listens. Takes the configuration, also on an error. RT_OK; RT_EIO
 * with errno and `why` (cannot listen), RT_EINVAL with `why`, RT_ENOMEM: *out is NULL. */
RT_MUST_CHECK int rt_instance_new(rt_config *config, const rt_surroundings *around,
                                  rt_server_address *where, rt_instance **out, char *why,
                                  size_t why_len);
/* Serves until rt_instance_shut_down has finished. */
void rt_instance_run(rt_instance *in);
/* Call it after the run, or instead of it. */
void rt_instance_free(rt_instance *in);

/* Delivers an event to the clients of this server, and forwards it to other servers (forward.h). */
void rt_instance_publish(rt_instance *in, const rt_event *e);

/* The functions that Frappe's rules call for I/O (ports.c). */
rt_frappe_ports rt_instance_ports(rt_instance *in);
/* Shows all figures of the server (figures.c), except those of each handler host, which JSON has in
 * an array: rt_hosts_show_each. */
void rt_instance_show_figures(const rt_instance *in, const rt_figures *to);
/* Appends all figures: as a JSON object, or as a list with their help (stats.c), or as text for
 * Prometheus (prometheus.c). RT_OK, or the buffer's error. */
int rt_instance_put_stats(const rt_instance *in, rt_buf *out);
int rt_instance_put_figures(const rt_instance *in, rt_buf *out);
int rt_instance_put_prometheus(const rt_instance *in, rt_buf *out);
/* How handler hosts are reached (host_socket.c). */
extern const rt_host_link rt_host_socket_link;
/* Gives handler hosts what they need of in->config. RT_OK; RT_ENOMEM: they keep what they had. */
RT_MUST_CHECK int rt_instance_tell_hosts(rt_instance *in);
typedef struct rt_health {
    const char *degraded; /* what is missing; NULL: nothing */
} rt_health;
rt_health rt_instance_health(const rt_instance *in); /* health.c */
/* Answers requests outside /socket.io/ (routes.c): a rt_front_route. */
void rt_instance_route(void *in, const rt_http_request *req, rt_answer *answer);

#endif
