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
#define RT_CURL_POINTER(name) __typeof__(&(name))
typedef struct rt_curl_library {
    RT_CURL_POINTER(curl_global_init) curl_global_init;
    RT_CURL_POINTER(curl_easy_init) curl_easy_init;
    RT_CURL_POINTER(curl_easy_setopt) curl_easy_setopt;
    RT_CURL_POINTER(curl_easy_getinfo) curl_easy_getinfo;
    RT_CURL_POINTER(curl_easy_strerror) curl_easy_strerror;
    RT_CURL_POINTER(curl_easy_cleanup) curl_easy_cleanup;
    RT_CURL_POINTER(curl_slist_append) curl_slist_append;
    RT_CURL_POINTER(curl_slist_free_all) curl_slist_free_all;
    RT_CURL_POINTER(curl_multi_init) curl_multi_init;
    RT_CURL_POINTER(curl_multi_setopt) curl_multi_setopt;
    RT_CURL_POINTER(curl_multi_assign) curl_multi_assign;
    RT_CURL_POINTER(curl_multi_add_handle) curl_multi_add_handle;
    RT_CURL_POINTER(curl_multi_remove_handle) curl_multi_remove_handle;
    RT_CURL_POINTER(curl_multi_socket_action) curl_multi_socket_action;
    RT_CURL_POINTER(curl_multi_info_read) curl_multi_info_read;
    RT_CURL_POINTER(curl_multi_cleanup) curl_multi_cleanup;
} rt_curl_library;
#undef RT_CURL_POINTER

/* Usable once rt_curl_load has returned NULL. Write (rt_curl.curl_easy_setopt)(..): curl's headers
 * have macros of some of these names. */
extern rt_curl_library rt_curl;

/* NULL, or why there is no libcurl: a text that stays. Every call after the first is cheap. */
const char *rt_curl_load(void);

#endif
