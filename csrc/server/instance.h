/* One running server: every layer's object and its wiring. `instance.c` builds it and takes it
 * apart; the other files of server/ are its parts.
 *
 * It knows nothing of the process around it: what it needs of that comes as rt_surroundings.
 *
 * Ownership: rt_instance_new/free. Thread: the one that makes it, until rt_instance_run; then that
 * which runs it, until the run has ended. Must not know: threads, forks, Python. */
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

/* What a server needs of the process it runs in. */
typedef struct rt_surroundings {
    const rt_handed *handed;                    /* sockets to listen on instead of its own */
    void (*on_wake)(struct rt_instance *in);    /* rt_loop_wake was called for in->loop */
    RT_MUST_CHECK int (*reload_handlers)(void); /* RT_OK; RT_ENOENT: nobody supervises any here */
    uint64_t (*log_lines_lost)(void);           /* since the process started */
} rt_surroundings;

typedef struct rt_instance {
    rt_surroundings around;
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
    rt_unix_file uds_file; /* of socketio_uds; no file: none, or somebody else's */
    uint64_t started_ms;
    rt_last_words last_words;
    bool handed; /* the sockets it listens on are somebody else's, and stay when it ends */
    bool stopping;
} rt_instance;

/* Builds a server that listens already. Takes the configuration, whatever happens. RT_OK; RT_EIO
 * with errno and `why` (cannot listen), RT_EINVAL with `why`, RT_ENOMEM: *out is NULL. */
RT_MUST_CHECK int rt_instance_new(rt_config *config, const rt_surroundings *around,
                                  rt_server_address *where, rt_instance **out, char *why,
                                  size_t why_len);
/* Serves until rt_instance_shut_down has come to its end. */
void rt_instance_run(rt_instance *in);
/* After the run, or instead of it. */
void rt_instance_free(rt_instance *in);

/* Delivers an event here, and to other servers of the bench (forward.h). */
void rt_instance_publish(rt_instance *in, const rt_event *e);

/* Fills the table of what Frappe's rules need from outside (ports.c). */
rt_frappe_ports rt_instance_ports(rt_instance *in);
/* Shows every figure of the server (figures.c). Those of each handler host are apart, since JSON
 * has them in an array: rt_hosts_show_each. */
void rt_instance_show_figures(const rt_instance *in, const rt_figures *to);
/* Appends all figures: as a JSON object; as a list of them with their help (stats.c); as text for
 * Prometheus (prometheus.c). RT_OK, or the buffer's error. */
int rt_instance_put_stats(const rt_instance *in, rt_buf *out);
int rt_instance_put_figures(const rt_instance *in, rt_buf *out);
int rt_instance_put_prometheus(const rt_instance *in, rt_buf *out);
/* How handler hosts are reached (host_socket.c). */
extern const rt_host_link rt_host_socket_link;
/* Hands them what they need of in->config. RT_OK; RT_ENOMEM: they go by what they had. */
RT_MUST_CHECK int rt_instance_tell_hosts(rt_instance *in);
typedef struct rt_health {
    const char *degraded; /* what is missing; NULL: nothing */
} rt_health;
rt_health rt_instance_health(const rt_instance *in); /* health.c */
/* Answers /health and tells what this is (routes.c): a rt_front_route. */
void rt_instance_route(void *in, const rt_http_request *req, rt_answer *answer);

#endif
