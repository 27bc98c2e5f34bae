/* Accepts nothing more, sends what is pending, closes everything. */
#include "server/shut_down.h"

#include "server/instance.h"

#define LOOK_MS 10 /* between two checks for pending data */

static void drop(rt_instance *in) {
    rt_timerq_fini(&in->last_words.due);
    rt_forward_fini(&in->forward);
    if (in->redis)
        rt_redis_close(in->redis);
    rt_front_close(in->front);
    rt_loop_remove_hook(&in->loop, &in->reap_hook);
    rt_trim_fini(&in->trim);
    rt_loop_stop(&in->loop);
}

static void look(rt_instance *in) {
    rt_last_words *w = &in->last_words;
    if (in->loop.now < w->until && (rt_front_owes(in->front) || rt_forward_owes(&in->forward)))
        rt_timer_arm(&w->due, &w->look, in->loop.now);
    else
        drop(in);
}

static void on_look_due(rt_timerq *due, rt_timer *timer) {
    (void)timer;
    look(due->arg);
}

void rt_instance_shut_down(rt_instance *in, uint32_t patience_ms) {
    if (in->stopping)
        return;
    in->stopping = true;
    rt_instance_close_local(in);
    rt_unix_file_remove(
        &in->uds_file); /* before the listener closes, so that a new server can bind at once */
    rt_eio_close_all(in->eio, RT_EIO_SERVER_SHUTDOWN);
    rt_front_finish(in->front);
    rt_taken_end(&in->taken);
    rt_frappe_free(in->frappe); /* before the web client, which has its questions in flight */
    in->frappe = NULL;
    rt_web_close(in->web);
    rt_timer_init(&in->last_words.look);
    rt_timerq_init(&in->last_words.due, &in->loop.timers, LOOK_MS, on_look_due, in);
    in->last_words.until = in->loop.now + patience_ms;
    look(in);
}
