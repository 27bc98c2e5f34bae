/* Accept-Encoding: a list of codings with weights in thousandths. */
#include "wire/coding.h"

#define FULL_WEIGHT 1000
#define UNREADABLE (-1)
#define NOT_NAMED (-1)

/* qvalue = "0" [ "." 0*3DIGIT ] | "1" [ "." 0*3"0" ] (RFC 9110, 12.4.2). */
static int weight_of(rt_slice q) {
    if (q.n == 0 || q.n > 5 || (q.p[0] != '0' && q.p[0] != '1') || (q.n > 1 && q.p[1] != '.'))
        return UNREADABLE;
    int weight = (q.p[0] - '0') * FULL_WEIGHT;
    int unit = 100;
    for (size_t i = 2; i < q.n; i++, unit /= 10) {
        if (q.p[i] < '0' || q.p[i] > '9')
            return UNREADABLE;
        weight += (q.p[i] - '0') * unit;
    }
    return weight <= FULL_WEIGHT ? weight : UNREADABLE;
}

/* The weight among the parameters of one item. */
static int weight_among(rt_slice parameters) {
    while (parameters.n > 0) {
        size_t end = rt_slice_find(parameters, ';');
        rt_slice one = rt_slice_trim(rt_slice_make(parameters.p, end));
        if (one.n >= 2 && (one.p[0] == 'q' || one.p[0] == 'Q') && one.p[1] == '=')
            return weight_of(rt_slice_from(one, 2));
        parameters = rt_slice_from(parameters, end + 1);
    }
    return FULL_WEIGHT;
}

static void read_item(rt_slice item, int weights[RT_CODINGS], int *others) {
    size_t end = rt_slice_find(item, ';');
    rt_slice name = rt_slice_trim(rt_slice_make(item.p, end));
    int weight = weight_among(rt_slice_from(item, end + 1));
    if (weight == UNREADABLE)
        return;
    if (rt_slice_eq(name, RT_LIT("*")))
        *others = weight;
    for (int coding = RT_CODING_GZIP; coding < RT_CODINGS; coding++)
        if (rt_slice_eq_nocase(name, rt_coding_name((enum rt_coding)coding)))
            weights[coding] = weight;
}

enum rt_coding rt_coding_choose(rt_slice list) {
    int weights[RT_CODINGS] = {NOT_NAMED, NOT_NAMED, NOT_NAMED}, others = 0;
    while (list.n > 0) {
        size_t end = rt_slice_find(list, ',');
        read_item(rt_slice_make(list.p, end), weights, &others);
        list = rt_slice_from(list, end + 1);
    }
    enum rt_coding best = RT_CODING_IDENTITY;
    int best_weight = 0;
    for (int coding = RT_CODING_GZIP; coding < RT_CODINGS; coding++) {
        int weight = weights[coding] == NOT_NAMED ? others : weights[coding];
        if (weight > best_weight) {
            best = (enum rt_coding)coding;
            best_weight = weight;
        }
    }
    return best;
}

rt_slice rt_coding_name(enum rt_coding coding) {
    switch (coding) {
    case RT_CODING_GZIP:
        return RT_LIT("gzip");
    case RT_CODING_DEFLATE:
        return RT_LIT("deflate");
    default:
        return RT_EMPTY;
    }
}
