/* The state and counters of each host: as figures, and as JSON. */
#include "hosts/state.h"

#include "json/write.h"

static void show_one(const rt_hosts *h, int counter, const rt_figures *to) {
    const rt_counter_row *row = &rt_host_counter_rows[counter];
    const rt_figure_family family = {row->name, "host", row->help};
    for (const rt_host *host = h->host; host < h->host + RT_HOSTS_MAX; host++) {
        if (host->state == RT_HOST_FREE)
            continue;
        rt_figure f = {.group = "hosts",
                       .name = row->name,
                       .help = row->help,
                       .family = &family,
                       .label_value = host->id,
                       .type = RT_FIGURE_COUNTER,
                       .unit = rt_figures_unit_of(row->name),
                       .value = host->counters.v[counter]};
        to->visit(to->arg, &f);
    }
}

void rt_hosts_show_each(const rt_hosts *h, const rt_figures *to) {
    for (int i = 0; i < rt_host_counters_n; i++)
        show_one(h, i, to);
}

/* --- as JSON --- */

static const char *const state_names[] = {"free", "joining", "active", "draining"};

static void put_host(const rt_host *host, bool names, rt_buf *b) {
    const rt_hosts *h = host->hosts;
    if (b->n && b->p[b->n - 1] != '[')
        rt_buf_putc(b, ',');
    rt_buf_putc(b, '{');
    rt_json_put_member_str(b, RT_LIT("id"), rt_slice_of(host->id));
    rt_json_put_member_str(b, RT_LIT("language"), rt_slice_of(host->language));
    rt_json_put_member_u64(b, RT_LIT("pid"), host->pid);
    rt_json_put_member_str(b, RT_LIT("state"), rt_slice_of(state_names[host->state]));
    rt_json_put_member_raw(b, RT_LIT("connects"),
                           host->connects ? RT_LIT("true") : RT_LIT("false"));
    rt_json_put_member_raw(b, RT_LIT("mirror"), host->mirror ? RT_LIT("true") : RT_LIT("false"));
    rt_json_put_member_u64(b, RT_LIT("attached_ms"), rt_hosts_now(h) - host->since);
    rt_json_put_member_u64(b, RT_LIT("owed_bytes"), host->peer ? h->link->owed(host->peer) : 0);
    rt_json_put_member_u64(b, RT_LIT("waits_for"), host->ask_count);
    if (names) {
        rt_json_put_member_raw(b, RT_LIT("apps"),
                               host->apps.n ? rt_buf_slice(&host->apps) : RT_LIT("[]"));
        rt_json_put_key(b, RT_LIT("takes"));
        rt_host_put_names(host, b);
    }
    for (int i = 0; i < rt_host_counters_n; i++)
        rt_json_put_member_u64(b, rt_slice_of(rt_host_counter_rows[i].name), host->counters.v[i]);
    rt_buf_putc(b, '}');
}

int rt_hosts_put(const rt_hosts *h, bool names, rt_buf *out) {
    rt_buf_putc(out, '[');
    for (const rt_host *host = h->host; host < h->host + RT_HOSTS_MAX; host++)
        if (host->state != RT_HOST_FREE)
            put_host(host, names, out);
    return rt_buf_putc(out, ']');
}
