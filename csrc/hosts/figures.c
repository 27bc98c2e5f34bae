/* What each host has counted, one counter after the other. */
#include "hosts/state.h"

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
