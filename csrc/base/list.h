/* Intrusive doubly linked list; the node lives inside the object.
 *
 * A head and a free node both point at themselves, so unlinking twice is harmless.
 * Ownership: none. Thread: the owner's. */
#ifndef RT_BASE_LIST_H
#define RT_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct rt_list {
    struct rt_list *prev;
    struct rt_list *next;
} rt_list;

/* The object that holds `node` as its `member`. */
#define RT_OF(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

static inline void rt_list_init(rt_list *l) {
    l->prev = l->next = l;
}

static inline bool rt_list_empty(const rt_list *l) {
    return l->next == l;
}

static inline bool rt_list_linked(const rt_list *node) {
    return node->next != node;
}

static inline void rt_list_unlink(rt_list *node) {
    node->prev->next = node->next;
    node->next->prev = node->prev;
    rt_list_init(node);
}

static inline void rt_list_push(rt_list *head, rt_list *node) {
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

static inline rt_list *rt_list_first(const rt_list *head) {
    return rt_list_empty(head) ? NULL : head->next;
}

/* Moves everything of `from` to `to`, which must be an empty head; `from` is empty afterwards.
 * The way to walk a list whose members may come and go meanwhile. */
static inline void rt_list_move(rt_list *to, rt_list *from) {
    rt_list_init(to);
    if (rt_list_empty(from))
        return;
    to->next = from->next;
    to->prev = from->prev;
    to->next->prev = to;
    to->prev->next = to;
    rt_list_init(from);
}

#endif
