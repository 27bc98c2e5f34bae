/* An `events` envelope as Redis brings it: whatever it is, what reaches a browser is a packet that
 * its parser takes. */
#include "frappe/session.h"

#include "json/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each packet must be `2/ns,` and a JSON array of a string and one more element. */
static void check_packet(rt_slice packet) {
    rt_json_iter it;
    rt_slice event, message, more;
    world_must(rt_slice_starts(packet, RT_LIT("2" NS ",")));
    rt_slice array = rt_slice_from(packet, sizeof NS + 1);
    world_must(rt_json_check(array, RT_JSON_STRICT, NULL, NULL) == RT_OK);
    world_must(rt_json_iter_init(&it, array) == RT_OK && rt_json_type_of(array) == RT_JSON_ARRAY);
    world_must(rt_json_next(&it, &event) && rt_json_type_of(event) == RT_JSON_STRING);
    world_must(rt_json_next(&it, &message) && !rt_json_next(&it, &more));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static world w;
    world_init(&w, NULL);
    world_client *c = session_start(&w, "x@a", V16);
    int status = rt_frappe_envelope(w.frappe, rt_slice_make(data, size));
    world_must(status == RT_OK || status == RT_EFRAPPE_ENVELOPE);
    world_turn(&w);
    rt_slice frames = rt_slice_make(c->heard, c->heard_n), payload;
    enum rt_ws_opcode opcode;
    while (rt_ws_next_frame(&frames, &opcode, &payload)) {
        world_must(status == RT_OK && payload.n > 0 && payload.p[0] == '4');
        check_packet(rt_slice_from(payload, 1));
    }
    world_must(c->open);
    world_fini(&w);
    return 0;
}
