/* Names of rooms. */
#include "frappe/rooms.h"

#include "base/status.h"

static const rt_slice prefixes[] = {
    [RT_ROOM_DOCTYPE] = {"doctype:", 8},
    [RT_ROOM_DOC] = {"doc:", 4},
    [RT_ROOM_OPEN_DOC] = {"open_doc:", 9},
    [RT_ROOM_TASK] = {"task_progress:", 14},
};

rt_slice rt_rooms_prefix(enum rt_room_kind kind) {
    return prefixes[kind];
}

int rt_rooms_put_user(rt_buf *b, rt_slice user) {
    rt_buf_puts(b, RT_LIT("user:"));
    return rt_buf_puts(b, user);
}

bool rt_rooms_split_open_doc(rt_slice room, rt_slice *doctype, rt_slice *name) {
    rt_slice prefix = prefixes[RT_ROOM_OPEN_DOC];
    if (!rt_slice_starts(room, prefix))
        return false;
    rt_slice rest = rt_slice_from(room, prefix.n);
    size_t slash = rt_slice_find(rest, '/');
    if (slash == rest.n)
        return false;
    *doctype = rt_slice_make(rest.p, slash);
    *name = rt_slice_from(rest, slash + 1);
    return true;
}
