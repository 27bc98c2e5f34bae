/* Looking at configuration files again while the server runs. */
#include "config/sites.h"

#include "base/alloc.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/status.h"
#include "json/scan.h"
#include "config/fields.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

RT_COUNTERS_DEFINE(rt_config_sites, RT_CONFIG_SITES_COUNTERS)

enum { KEY_ORIGINS, KEY_CORS, KEYS };
static const char *const keys[KEYS] = {"socketio_allowed_origins", "allow_cors"};

/* A file, and what it said when it was last read. */
typedef struct config_file {
    rt_list node; /* in rt_config_sites.order; unlinked: not a site's */
    struct stat seen;
    bool there;
    bool settled;     /* it cannot have changed without another time stamp */
    bool looked_at;   /* ever */
    bool broken;      /* and said so */
    uint64_t looked;  /* ms; when */
    rt_buf set[KEYS]; /* comma-separated; empty: not set */
    size_t site_len;
    char path[]; /* in the bench, NUL; then the site */
} config_file;

struct rt_config_sites {
    const rt_config *c;
    config_file *legacy, *common;
    rt_map by_site;
    rt_list order; /* sites, the one asked longest ago first */
    rt_buf list;
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
    for (int k = 0; k < KEYS; k++)
        rt_buf_fini(&f->set[k]);
    rt_list_unlink(&f->node);
    rt_free(f);
}

/* --- reading --- */

/* Appends the text of a value, a list joined with commas. What is falsy in Python counts as not
 * set. RT_EJSON_TYPE: it is neither text nor a list of texts. */
static int put_value(rt_slice value, rt_buf *out) {
    rt_json_iter it;
    rt_slice item;
    int rc = RT_OK;
    switch (rt_json_type_of(value)) {
    case RT_JSON_STRING:
        return rt_json_str_decode(value, out);
    case RT_JSON_ARRAY:
        rc = rt_json_iter_init(&it, value);
        while (rc == RT_OK && rt_json_next(&it, &item)) {
            if (out->n > 0)
                rt_buf_putc(out, ',');
            rc = rt_json_str_decode(item, out);
        }
        return rc;
    case RT_JSON_NONE:
    case RT_JSON_NULL:
        return RT_OK;
    default:
        return rt_slice_eq(value, RT_LIT("false")) || rt_slice_eq(value, RT_LIT("0"))
                   ? RT_OK
                   : RT_EJSON_TYPE;
    }
}

/* Once, until it is good again. */
static void unreadable(rt_config_sites *s, config_file *f, const char *what) {
    count(s, RT_CONFIG_UNREADABLE);
    if (!f->broken)
        rt_log(RT_LOG_WARN, "config", "%s: %s; the origins allowed by it stay as they were",
               f->path, what);
    f->broken = true;
}

/* Both keys, or none. RT_OK, or what was wrong. */
static int put_values(rt_slice text, rt_buf *values) {
    if (rt_json_check(text, RT_JSON_STRICT, NULL, NULL))
        return RT_EJSON_SYNTAX;
    text = rt_json_trim(text);
    if (rt_json_type_of(text) != RT_JSON_OBJECT)
        return RT_EJSON_SYNTAX;
    int rc = put_value(rt_json_get(text, rt_slice_of(keys[KEY_ORIGINS])), &values[KEY_ORIGINS]);
    return rc ? rc : put_value(rt_json_get(text, rt_slice_of(keys[KEY_CORS])), &values[KEY_CORS]);
}

static const char *problem_of(int rc) {
    switch (rc) {
    case RT_EJSON_SYNTAX:
        return "not a JSON object";
    case RT_EJSON_TYPE:
    case RT_EUTF8:
        return "socketio_allowed_origins and allow_cors must be a text or a list of texts";
    case RT_ELIMIT:
        return "larger than 1 MB";
    case RT_ENOMEM:
        return "out of memory";
    default:
        return strerror(errno);
    }
}

static void take(rt_config_sites *s, config_file *f, rt_slice text) {
    rt_buf values[KEYS] = {RT_BUF_INIT, RT_BUF_INIT};
    int rc = put_values(text, values);
    for (int k = 0; k < KEYS; k++) {
        rt_buf_fini(rc == RT_OK ? &f->set[k] : &values[k]);
        if (rc == RT_OK)
            f->set[k] = values[k];
    }
    if (rc != RT_OK)
        unreadable(s, f, problem_of(rc));
    f->settled = f->settled && rc != RT_ENOMEM;
    f->broken = rc != RT_OK;
}

static void forget_values(config_file *f) {
    for (int k = 0; k < KEYS; k++)
        rt_buf_clear(&f->set[k]);
}

/* A file written in this moment may be written again without a change of its time stamp, which
 * moves on only with the kernel's tick, or once a second on some file systems. */
static bool is_settled(const struct stat *st) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec - st->st_mtim.tv_sec > 2;
}

static void read_again(rt_config_sites *s, config_file *f, const char *path) {
    rt_buf text = RT_BUF_INIT;
    int rc = rt_config_read_file(path, &text, &f->seen);
    f->there = rc != RT_ENOENT;
    f->settled = f->there && is_settled(&f->seen);
    if (rc == RT_OK)
        take(s, f, rt_buf_slice(&text));
    else if (rc == RT_ENOENT)
        forget_values(f);
    else
        unreadable(s, f, problem_of(rc));
    f->settled = f->settled && rc != RT_ENOMEM;
    count(s, RT_CONFIG_READS);
    rt_buf_fini(&text);
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

/* The name stands for one folder inside sites/, whatever a client has sent as its Host. */
static bool is_folder_name(rt_slice site) {
    return site.n > 0 && site.n <= NAME_MAX && site.p[0] != '.' && !memchr(site.p, '/', site.n) &&
           !memchr(site.p, '\0', site.n);
}

/* The file of a site, made when it is new; NULL: no name for a folder, or out of memory. */
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

static void put_key(rt_config_sites *s, const config_file *site, int key) {
    const rt_config *c = s->c;
    const char *given = key == KEY_ORIGINS ? c->allowed_origins : c->allow_cors;
    uint8_t from = key == KEY_ORIGINS ? c->allowed_origins_from : c->allow_cors_from;
    const config_file *files[] = {site, s->common, s->legacy};
    if (from == RT_FROM_CALLER || !c->bench) {
        put_list(&s->list, rt_slice_of(given));
        return;
    }
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (files[i] && files[i]->set[key].n > 0) {
            put_list(&s->list, rt_buf_slice(&files[i]->set[key]));
            return;
        }
    }
}

rt_slice rt_config_sites_origins(rt_config_sites *s, rt_slice site, uint64_t now) {
    config_file *f = s->c->bench ? file_of(s, site) : NULL;
    look(s, s->legacy, now);
    look(s, s->common, now);
    look(s, f, now);
    rt_buf_clear(&s->list);
    for (int k = 0; k < KEYS; k++)
        put_key(s, f, k);
    return s->list.err ? RT_EMPTY : rt_buf_slice(&s->list);
}

const rt_config_sites_counters *rt_config_sites_get_counters(const rt_config_sites *s) {
    return &s->counters;
}
