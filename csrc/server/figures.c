/* Visits all figures of a server, in the order in which they are shown. */
#include "server/instance.h"

static void show_process(const rt_instance *in, const rt_figures *to) {
    rt_figures_gauge(to, "uptime_ms", in->loop.now - in->started_ms,
                     "Time since the server started.");
    rt_figures_counter(to, "turns", in->loop.turns, "Turns of the event loop.");
    rt_figures_counter(to, "memory_trims", in->trim.trims,
                       "Times free memory was given back to the system.");
    rt_figures_counter(to, "log_lines_lost", in->around.log_lines_lost(),
                       "Lines of the log lost since the process started.");
}

static void show_local(const rt_instance *in, const rt_figures *to) {
    rt_figures_flag(to, "local_open", in->local, "Whether the local socket is open.");
    rt_figures_counter(to, "local_open_failed", in->local_opening.failed,
                       "Tries to open the local socket that failed.");
    rt_local_show_figures(in->local, to);
    RT_FIGURES_OF(to, "local_lines", rt_local_line, &in->local_lines);
}

static void show_forward(const rt_instance *in, const rt_figures *to) {
    rt_figures_gauge(to, "forward_waiting_bytes", in->forward.bytes,
                     "Bytes of events that wait to be passed on through Redis.");
    RT_FIGURES_OF(to, "forward", rt_forward, &in->forward.counters);
}

void rt_instance_show_figures(const rt_instance *in, const rt_figures *to) {
    show_process(in, to);
    rt_front_show_figures(in->front, to);
    rt_eio_show_figures(in->eio, to);
    rt_sio_show_figures(in->sio, to);
    rt_frappe_show_figures(in->frappe, to);
    RT_FIGURES_OF(to, "config", rt_config_sites, rt_config_sites_get_counters(in->sites));
    rt_web_show_figures(in->web, to);
    if (in->redis)
        rt_redis_show_figures(in->redis, to);
    show_local(in, to);
    show_forward(in, to);
    RT_FIGURES_OF(to, "handlers", rt_hosts, rt_hosts_get_counters(in->hosts));
}
