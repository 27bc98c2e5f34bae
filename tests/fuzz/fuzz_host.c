/* What handler hosts say, and what clients do to them meanwhile. The input is lines; the first byte
 * of each picks what happens:
 *
 *     {..}     a line of the first host; @ stands for the id of the first client's socket
 *     =...     a first line
 *     [..]     an event of the first client
 *     +        a client comes     x  one goes      .  time passes      >  the web process answers
 *     r        the first host reads              -  it goes
 *
 * Every line that a host is told is JSON on one line. */
#include "base/random.h"
#include "base/status.h"
#include "hosts/world.h"
#include "json/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static world_client *came[8];
static unsigned comings;

static void come(scene *s) {
    char user[16];
    if (comings == sizeof came / sizeof came[0] || s->w.calls)
        return; /* the web process answers one question at a time */
    snprintf(user, sizeof user, "u%u@a", comings);
    came[comings++] = session_start(&s->w, user, V16);
}

static fake_host *first_host(scene *s) {
    for (unsigned i = 0; i < s->fakes; i++)
        if (s->fake[i].open)
            return &s->fake[i];
    return NULL;
}

static void check_told(fake_host *f) {
    rt_slice rest = rt_slice_of(scene_told(f));
    while (rest.n > 0) {
        size_t end = rt_slice_find(rest, '\n');
        world_must(rt_json_check(rt_slice_make(rest.p, end), RT_JSON_STRICT, NULL, NULL) == RT_OK);
        rest = rt_slice_from(rest, end + 1);
    }
}

/* The line with each @ replaced. */
static void host_says(scene *s, rt_slice line) {
    fake_host *f = first_host(s);
    rt_buf b = RT_BUF_INIT;
    rt_sio_ns *ns = rt_sio_ns_find(s->w.io, RT_LIT(NS));
    for (size_t i = 0; i < line.n; i++) {
        if (line.p[i] == '@' && ns)
            rt_buf_puts(&b, rt_sio_socket_id(rt_sio_ns_socket(ns, 0)));
        else
            rt_buf_putc(&b, line.p[i]);
    }
    if (f)
        rt_host_line(f->host, rt_buf_slice(&b));
    rt_buf_fini(&b);
}

static void host_comes(scene *s, rt_slice line) {
    if (s->fakes == SCENE_HOSTS || rt_json_check(line, RT_JSON_STRICT, NULL, NULL) != RT_OK)
        return;
    fake_host *f = &s->fake[s->fakes++];
    rt_buf_clear(&s->answer);
    if (rt_host_attach(s->hosts, rt_json_trim(line), &f->host, &s->answer) == RT_OK) {
        f->open = true;
        rt_host_begin(f->host, f);
        return;
    }
    world_must(rt_json_check(rt_buf_slice(&s->answer), RT_JSON_STRICT, NULL, NULL) == RT_OK);
}

static void client_says(rt_slice event) {
    char packet[4096];
    if (!comings || !came[0]->open || event.n > sizeof packet - sizeof NS - 8)
        return;
    int head = snprintf(packet, sizeof packet, "2" NS ",%s", event.n % 2 ? "5" : "");
    memcpy(packet + head, event.p, event.n);
    world_say_n(came[0], packet, (size_t)head + event.n);
}

static void act(scene *s, rt_slice line) {
    fake_host *f = first_host(s);
    switch (line.p[0]) {
    case '=':
        host_comes(s, rt_slice_from(line, 1));
        break;
    case '[':
        client_says(line);
        break;
    case '+':
        come(s);
        break;
    case 'x':
        if (comings && came[comings - 1]->open)
            world_leave(came[comings - 1]);
        break;
    case '.':
        world_pass(&s->w, line.n > 1 ? (unsigned char)line.p[1] * 200u : 20u);
        break;
    case '>':
        if (s->w.calls)
            world_answer(&s->w, line.n > 1 ? 403 : 200, "{\"message\":true}");
        break;
    case 'r':
        if (f)
            check_told(f);
        break;
    case '-':
        if (f)
            scene_leaves(f);
        break;
    default:
        host_says(s, line);
    }
    world_turn(&s->w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static scene s;
    scene_init(&s);
    comings = 0;
    come(&s);
    scene_attach(&s,
                 "\"id\":\"A\",\"events\":[\"*\",\"ping\"],\"mirror\":true,\"handshakes\":true");
    rt_slice rest = rt_slice_make(data, size);
    while (rest.n > 0) {
        rt_slice line = rt_slice_make(rest.p, rt_slice_find(rest, '\n'));
        if (line.n > 0)
            act(&s, line);
        rest = rt_slice_from(rest, line.n + 1);
    }
    for (unsigned i = 0; i < s.fakes; i++)
        if (s.fake[i].open)
            check_told(&s.fake[i]);
    scene_fini(&s);
    return 0;
}
