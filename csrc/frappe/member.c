/* What is kept for each socket. */
#include "frappe/member.h"

#include "base/alloc.h"

#define TOLD_MASK 0xfffu /* rt_member.told */

static const rt_subject_name no_name;

static uint32_t told_at(uint64_t now) {
    return (uint32_t)(now / RT_FRAPPE_TELL_MS) & TOLD_MASK;
}

rt_member *rt_member_new(uint64_t now) {
    rt_member *m = rt_alloc0(sizeof *m);
    if (!m)
        return NULL;
    m->told = (told_at(now) - 1) & TOLD_MASK;
    return m;
}

void rt_member_free(rt_member *m) {
    if (!m)
        return;
    while (m->tickets)
        rt_ticket_free(m->tickets);
    rt_identity_rele(m->identity);
    rt_free(m);
}

bool rt_member_may_tell(rt_member *m, uint64_t now) {
    bool may = m->told != told_at(now);
    m->told = told_at(now) & TOLD_MASK;
    return may;
}

static rt_ticket *new_ticket(rt_member *m, rt_sio_socket *s, enum rt_want want,
                             const rt_subject_name *name, rt_slice json) {
    if (name->room.n > UINT16_MAX || json.n > UINT16_MAX)
        return NULL;
    rt_ticket *t = rt_alloc0(sizeof *t + name->room.n + json.n);
    if (!t)
        return NULL;
    rt_waiter_init(&t->waiter);
    t->socket = s;
    t->want = (uint8_t)want;
    t->room_len = (uint16_t)name->room.n;
    t->doctype_len = (uint16_t)name->doctype_len;
    t->json_len = (uint16_t)json.n;
    if (name->room.n)
        memcpy(t->text, name->room.p, name->room.n);
    if (json.n)
        memcpy(t->text + name->room.n, json.p, json.n);
    t->next = m->tickets;
    m->tickets = t;
    return t;
}

rt_ticket *rt_ticket_new(rt_member *m, rt_sio_socket *s, enum rt_want want,
                         const rt_subject_name *name) {
    return new_ticket(m, s, want, name ? name : &no_name, name ? name->docname : RT_EMPTY);
}

rt_ticket *rt_ticket_new_in(rt_member *m, rt_sio_socket *s, rt_slice payload) {
    return new_ticket(m, s, RT_WANT_IN, &no_name, payload);
}

void rt_ticket_free(rt_ticket *t) {
    if (!t)
        return;
    rt_ticket **at = &rt_member_of(t->socket)->tickets;
    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    rt_waiter_leave(&t->waiter);
    rt_free(t);
}

rt_ticket *rt_ticket_find(const rt_member *m, enum rt_want want, rt_slice room) {
    rt_ticket *t = m->tickets;
    while (t && (t->want != want || !rt_slice_eq(rt_ticket_room(t), room)))
        t = t->next;
    return t;
}

uint32_t rt_ticket_waiting(const rt_member *m) {
    uint32_t n = 0;
    for (const rt_ticket *t = m->tickets; t; t = t->next)
        n += t->want != RT_WANT_NOTHING;
    return n;
}
