/* Identities: small, shared, counted. */
#include "frappe/identity.h"

#include "base/alloc.h"
#include "base/status.h"

#define CREDENTIAL_MAX (RT_HTTP_HEAD_MAX + 1) /* a whole request head, and its kind */
#define USER_MAX 1000                         /* bytes: `user:{user}` must fit a room name */
#define TYPE_MAX 1000                         /* bytes: 140 characters in Frappe */

static rt_slice key_of(const rt_identity *id) {
    return rt_slice_make(id->text, id->credential_len);
}

rt_credential rt_identity_credential(const rt_identity *id) {
    return (rt_credential){(enum rt_credential_kind)id->text[0], rt_slice_from(key_of(id), 1)};
}

rt_slice rt_identity_user(const rt_identity *id) {
    return rt_slice_make(id->text + id->credential_len, id->user_len);
}

/* Frappe's own types. Nearly everybody has one of them, so an identity stores only the index. */
static const rt_slice usual_types[] = {{"", 0}, RT_LIT("System User"), RT_LIT("Website User")};

static uint8_t usual_type(rt_slice type) {
    uint8_t i = sizeof usual_types / sizeof *usual_types - 1;
    while (i > 0 && !rt_slice_eq(usual_types[i], type))
        i--;
    return i;
}

rt_slice rt_identity_type(const rt_identity *id) {
    return id->type_len ? rt_slice_make(id->text + id->credential_len + id->user_len, id->type_len)
                        : usual_types[id->type];
}

bool rt_identity_is_system_user(const rt_identity *id) {
    return rt_slice_eq(rt_identity_type(id), RT_LIT("System User"));
}

rt_slice rt_identity_apps(const rt_identity *id) {
    return id->has_apps ? rt_slice_make(id->site->apps, id->site->apps_len) : RT_EMPTY;
}

bool rt_identity_is_guest(const rt_identity *id) {
    return rt_slice_eq(rt_identity_user(id), RT_LIT("Guest"));
}

static rt_identity *make(rt_site *site, rt_credential credential, rt_slice user, rt_slice type) {
    size_t key_len = credential.value.n + 1;
    if (key_len > CREDENTIAL_MAX || user.n > USER_MAX)
        return NULL;
    uint8_t usual = usual_type(type);
    if (usual || type.n > TYPE_MAX)
        type = RT_EMPTY;
    rt_identity *id = rt_alloc0(sizeof *id + key_len + user.n + type.n);
    if (!id)
        return NULL;
    id->refs = 1;
    id->credential_len = (uint16_t)key_len;
    id->user_len = (uint16_t)user.n;
    id->type_len = (uint16_t)type.n;
    id->type = usual & 3;
    id->text[0] = (char)credential.kind;
    memcpy(id->text + 1, credential.value.p, credential.value.n);
    memcpy(id->text + key_len, user.p, user.n);
    if (type.n)
        memcpy(id->text + key_len + user.n, type.p, type.n);
    id->site = rt_site_hold(site);
    return id;
}

static void unlist(rt_identity *id) {
    if (id->current)
        (void)rt_map_del(&id->site->identities, key_of(id));
    id->current = false;
}

static bool says_the_same(const rt_identity *a, const rt_identity *b) {
    return rt_slice_eq(rt_identity_user(a), rt_identity_user(b)) &&
           rt_slice_eq(rt_identity_type(a), rt_identity_type(b)) && a->has_apps == b->has_apps;
}

rt_identity *rt_identity_get(rt_site *site, rt_credential credential, rt_slice user, rt_slice type,
                             rt_slice apps) {
    bool has_apps = apps.n > 0;
    if (has_apps && rt_site_keep_apps(site, apps) != RT_OK)
        return NULL;
    rt_identity *id = make(site, credential, user, type);
    if (!id)
        return NULL;
    id->has_apps = has_apps;
    rt_identity *known = rt_map_get(&site->identities, key_of(id));
    if (known && says_the_same(known, id)) {
        rt_identity_rele(id);
        return rt_identity_hold(known);
    }
    if (known)
        unlist(known);
    /* Without memory for the map entry the identity works, but nobody shares it. */
    id->current = rt_map_put(&site->identities, key_of(id), id) == RT_OK;
    return id;
}

rt_identity *rt_identity_hold(rt_identity *id) {
    id->refs++;
    return id;
}

void rt_identity_rele(rt_identity *id) {
    if (!id || --id->refs > 0)
        return;
    unlist(id);
    rt_site_rele(id->site);
    rt_free(id);
}

rt_identity *rt_identity_hold_client(rt_identity *id) {
    if (id->clients++ == 0)
        id->site->sites->connected++;
    return rt_identity_hold(id);
}

void rt_identity_rele_client(rt_identity *id) {
    if (!id)
        return;
    if (--id->clients == 0)
        id->site->sites->connected--;
    rt_identity_rele(id);
}
