/* Inside net/ only: libcurl, loaded when the first request is made.
 *
 * libcurl brings thirty libraries along, some 3 MB in each process that maps them. Most processes
 * that import this package only publish and never ask the web process anything, so the extension
 * is not linked with it.
 *
 * Ownership: process-wide, loaded once and never unloaded. Thread: any.
 * Must not know: what is asked. */
#ifndef RT_NET_CURL_LIBRARY_H
#define RT_NET_CURL_LIBRARY_H

#include <curl/curl.h>

/* The functions we use, with curl's own names and types. */
#define RT_CURL_FUNCTIONS(X)                                                                       \
    X(curl_global_init)                                                                            \
    X(curl_easy_init)                                                                              \
    X(curl_easy_setopt)                                                                            \
    X(curl_easy_getinfo)                                                                           \
    X(curl_easy_strerror)                                                                          \
    X(curl_easy_cleanup)                                                                           \
    X(curl_slist_append)                                                                           \
    X(curl_slist_free_all)                                                                         \
    X(curl_multi_init)                                                                             \
    X(curl_multi_setopt)                                                                           \
    X(curl_multi_assign)                                                                           \
    X(curl_multi_add_handle)                                                                       \
    X(curl_multi_remove_handle)                                                                    \
    X(curl_multi_socket_action)                                                                    \
    X(curl_multi_info_read)                                                                        \
    X(curl_multi_cleanup)

#define RT_CURL_MEMBER(name) __typeof__(&name) name;
typedef struct rt_curl_library {
    RT_CURL_FUNCTIONS(RT_CURL_MEMBER)
} rt_curl_library;

/* Usable once rt_curl_load has returned NULL. Write (rt_curl.curl_easy_setopt)(..): curl's headers
 * have macros of some of these names. */
extern rt_curl_library rt_curl;

/* NULL, or why there is no libcurl: a text that stays. Every call after the first is cheap. */
const char *rt_curl_load(void);

#endif
