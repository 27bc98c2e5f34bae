/* Checks configuration files for changes while the server runs. */
#include "config/sites.h"

#include "base/alloc.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/status.h"
#include "config/input.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SAY_MS 1000

RT_COUNTERS_DEFINE(rt_config_sites, RT_CONFIG_SITES_COUNTERS)

/* A file, and the values it had when it was last read. */
typedef struct config_file {
    rt_list node; /* in rt_config_sites.order; unlinked: not the file of a site */
    struct stat seen;
    bool there;      /* it exists */
    bool settled;    /* read well, and any later change would also change its time stamp */
    bool looked_at;  /* at least once */
    bool broken;     /* and the log has said so */
    uint64_t looked; /* ms; time of the last look */
    char *set[RT_CONFIG_SITE_KEYS]; /* values in the order of the table; NULL: not set */
    size_t site_len;
    char path[]; /* inside the bench, with its NUL; then the site */
} config_file;

struct rt_config_sites {
    const rt_config *c;
    config_file *legacy, *common;
    rt_map by_site;
    rt_list order; /* files of sites, the least recently used first */
    rt_buf list;
    rt_log_gate gate;
    rt_config_sites_counters counters;
};

static void count(rt_config_sites *s, int which) {
    s->counters.v[which]++;
}

static rt_slice site_of(const config_file *f) {
    return rt_slice_make(f->path + strlen(f->path) + 1, f->site_len);
}

static config_file *file_new(const char *folder, rt_slice site, const char *name) {
    size_t path_len = strlen(folder) + site.n + strlen(name);
    config_file *f = rt_alloc0(sizeof *f + path_len + 1 + site.n);
    if (!f)
        return NULL;
    rt_list_init(&f->node);
    snprintf(f->path, path_len + 1, "%s%.*s%s", folder, (int)site.n, site.n ? site.p : "", name);
    f->site_len = site.n;
    if (site.n)
        memcpy(f->path + path_len + 1, site.p, site.n);
    return f;
}

static void file_free(config_file *f) {
    if (!f)
        return;
    for (size_t k = 0; k < RT_CONFIG_SITE_KEYS; k++)
        rt_free(f->set[k]);
    rt_list_unlink(&f->node);
    rt_free(f);
}

/* --- reading --- */

/* Logs once, until the file is good again; and one file a second, since clients choose the names of
 * sites. */
static void unreadable(rt_config_sites *s, config_file *f, const char *why) {
    count(s, RT_CONFIG_UNREADABLE);
    if (f->broken || !rt_log_allowed(&s->gate, f->looked, SAY_MS))
        return;
    rt_log(RT_LOG_WARN, "config",
           "%s; the origins that it allowed before stay allowed until it can be read", why);
    f->broken = true;
}

/* Moves the strings of `values` into the file's record. */
static void keep(config_file *f, rt_config *values) {
    char **kept = f->set;
    for (size_t i = 0; i < RT_CONFIG_FIELDS; i++) {
        if (rt_config_fields[i].when != RT_CONFIG_SITE)
            continue;
        char **value = rt_config_value(values, &rt_config_fields[i]);
        rt_free(*kept);
        *kept++ = *value;
        *value = NULL;
    }
}

/* A file that was written just now may be written again within the same time stamp. Time stamps
 * advance with the kernel's tick, on some file systems only once a second. */
static bool is_settled(const struct stat *st) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec - st->st_mtim.tv_sec > 2;
}

/* A file that could not be read is read again at each look, because the reason may have been a
 * moment without memory. */
static void read_again(rt_config_sites *s, config_file *f, const char *path) {
    rt_config values = {0};
    char why[400];
    rt_config_input in = {.c = &values, .site_keys = true, .name = f->path};
    in.from = RT_FROM_COMMON_FILE; /* all files have the same rule for absent values */
    in.why = why;
    in.why_len = sizeof why;
    int rc = rt_config_parse_file(&in, path, &f->seen);
    if (rc == RT_OK || rc == RT_ENOENT)
        keep(f, &values);
    else
        unreadable(s, f, rc == RT_ENOMEM ? "out of memory" : why);
    f->there = rc != RT_ENOENT;
    f->settled = rc == RT_OK && is_settled(&f->seen);
    f->broken = f->broken && rc != RT_OK;
    count(s, RT_CONFIG_READS);
    rt_config_fini(&values);
}

static bool same_stamp(const struct stat *a, const struct stat *b) {
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static void look(rt_config_sites *s, config_file *f, uint64_t now) {
    char path[PATH_MAX];
    struct stat st;
    if (!f || (f->looked_at && now - f->looked < RT_CONFIG_LOOK_MS))
        return;
    f->looked_at = true;
    f->looked = now;
    count(s, RT_CONFIG_LOOKS);
    if (snprintf(path, sizeof path, "%s/%s", s->c->bench, f->path) >= (int)sizeof path)
        return;
    bool there = stat(path, &st) == 0;
    if (!there && !f->there)
        return;
    if (!there || !f->there || !f->settled || !same_stamp(&st, &f->seen))
        read_again(s, f, path);
}

/* --- sites --- */

static void forget_oldest(rt_config_sites *s) {
    config_file *f = RT_OF(s->order.next, config_file, node);
    (void)rt_map_del(&s->by_site, site_of(f));
    file_free(f);
    count(s, RT_CONFIG_OVER_MAX);
}

/* Whether the name can only be a folder inside sites/. A client chooses it by its Host header. */
static bool is_folder_name(rt_slice site) {
    return site.n > 0 && site.n <= NAME_MAX && site.p[0] != '.' && !memchr(site.p, '/', site.n) &&
           !memchr(site.p, '\0', site.n);
}

/* The file of a site; a new one is added. NULL: not a folder name, or out of memory. */
static config_file *file_of(rt_config_sites *s, rt_slice site) {
    config_file *f = rt_map_get(&s->by_site, site);
    if (f) {
        rt_list_unlink(&f->node);
        rt_list_push(&s->order, &f->node);
        return f;
    }
    if (!is_folder_name(site) || !(f = file_new("sites/", site, "/site_config.json")))
        return NULL;
    if (rt_map_put(&s->by_site, site_of(f), f)) {
        file_free(f);
        return NULL;
    }
    rt_list_push(&s->order, &f->node);
    if (s->by_site.count > RT_CONFIG_SITES_MAX)
        forget_oldest(s);
    return f;
}

rt_config_sites *rt_config_sites_new(const rt_config *c) {
    rt_config_sites *s = rt_alloc0(sizeof *s);
    if (!s)
        return NULL;
    s->c = c;
    rt_map_init(&s->by_site);
    rt_list_init(&s->order);
    rt_buf_init(&s->list, 0);
    if (!c->bench)
        return s;
    s->legacy = file_new("", RT_EMPTY, "config.json");
    s->common = file_new("sites/", RT_EMPTY, "common_site_config.json");
    if (s->legacy && s->common)
        return s;
    rt_config_sites_free(s);
    return NULL;
}

void rt_config_sites_free(rt_config_sites *s) {
    rt_list *node;
    if (!s)
        return;
    while ((node = rt_list_first(&s->order)))
        file_free(RT_OF(node, config_file, node));
    file_free(s->legacy);
    file_free(s->common);
    rt_map_fini(&s->by_site);
    rt_buf_fini(&s->list);
    rt_free(s);
}

/* --- the list --- */

static void put_list(rt_buf *b, rt_slice list) {
    if (list.n > 0 && b->n > 0)
        rt_buf_putc(b, ',');
    rt_buf_puts(b, list);
}

/* The value of field `f` that holds for a site. `key` is the field's index in config_file.set. */
static const char *find_value(const rt_config_sites *s, const config_file *site,
                              const rt_config_field *f, size_t key) {
    const config_file *files[] = {site, s->common, s->legacy};
    if (*rt_config_source(s->c, f) == RT_FROM_CALLER || !s->c->bench)
        return *(char **)rt_config_value(s->c, f);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (files[i] && files[i]->set[key])
            return files[i]->set[key];
    return "";
}

rt_slice rt_config_sites_origins(rt_config_sites *s, rt_slice site, uint64_t now) {
    config_file *file = s->c->bench ? file_of(s, site) : NULL;
    size_t key = 0;
    look(s, s->legacy, now);
    look(s, s->common, now);
    look(s, file, now);
    rt_buf_clear(&s->list);
    for (size_t i = 0; i < RT_CONFIG_FIELDS; i++)
        if (rt_config_fields[i].when == RT_CONFIG_SITE)
            put_list(&s->list, rt_slice_of(find_value(s, file, &rt_config_fields[i], key++)));
    return s->list.err ? RT_EMPTY : rt_buf_slice(&s->list);
}

const rt_config_sites_counters *rt_config_sites_get_counters(const rt_config_sites *s) {
    return &s->counters;
}
