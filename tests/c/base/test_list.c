#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/list.h"

typedef struct item {
    int id;
    rt_list node;
} item;

static item *item_of(rt_list *node) {
    return node ? RT_OF(node, item, node) : NULL;
}

static void push_three(rt_list *head, item items[3]) {
    rt_list_init(head);
    for (int i = 0; i < 3; i++) {
        items[i].id = i;
        rt_list_init(&items[i].node);
        rt_list_push(head, &items[i].node);
    }
}

static void assert_order(const rt_list *head, const int *ids, int n) {
    const rt_list *at = head;
    for (int i = 0; i < n; i++) {
        at = at->next;
        assert_true(at != head);
        assert_ptr_equal(at->next->prev, at);
        assert_int_equal(RT_OF(at, item, node)->id, ids[i]);
    }
    assert_ptr_equal(at->next, head);
    assert_ptr_equal(head->prev, at);
}

static void test_order_and_unlink(void **state) {
    (void)state;
    rt_list head;
    item items[3];
    push_three(&head, items);
    assert_order(&head, (int[]){0, 1, 2}, 3);
    assert_true(rt_list_linked(&items[1].node));
    rt_list_unlink(&items[1].node);
    assert_false(rt_list_linked(&items[1].node));
    rt_list_unlink(&items[1].node); /* twice is harmless */
    assert_order(&head, (int[]){0, 2}, 2);
    assert_ptr_equal(item_of(rt_list_first(&head)), &items[0]);
    rt_list_unlink(&items[0].node);
    rt_list_unlink(&items[2].node);
    assert_true(rt_list_empty(&head));
    assert_null(rt_list_first(&head));
}

static void test_move(void **state) {
    (void)state;
    rt_list head, other;
    item items[3];
    push_three(&head, items);
    rt_list_move(&other, &head);
    assert_true(rt_list_empty(&head));
    assert_order(&other, (int[]){0, 1, 2}, 3);
    rt_list empty;
    rt_list_init(&empty);
    rt_list_move(&head, &empty);
    assert_true(rt_list_empty(&head));
    assert_order(&head, NULL, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_unlink),
        cmocka_unit_test(test_move),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
