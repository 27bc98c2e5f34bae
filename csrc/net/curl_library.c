/* dlopen and a table. */
#include "net/curl_library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

rt_curl_library rt_curl;

#define FUNCTIONS(X)                                                                               \
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

static char reason[256]; /* empty: loaded */

#ifdef RT_CURL_SONAME

/* Each symbol goes to its member; a function pointer has the size of a pointer (POSIX, dlsym). */
static bool find(void *library, const char *name, void *member) {
    void *symbol = dlsym(library, name);
    *(void **)member = symbol;
    if (!symbol)
        snprintf(reason, sizeof reason, "%s has no %s", RT_CURL_SONAME, name);
    return symbol != NULL;
}

static bool find_all(void) {
    void *library = dlopen(RT_CURL_SONAME, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *why = dlerror();
        snprintf(reason, sizeof reason, "%s (Debian's package is libcurl4)",
                 why ? why : RT_CURL_SONAME " cannot be loaded");
        return false;
    }
#define FIND(name) &&find(library, #name, &rt_curl.name)
    return true FUNCTIONS(FIND);
}

#else /* linked in, as a wheel of its own libraries is */

static bool find_all(void) {
#define SET(name) rt_curl.name = (name);
    FUNCTIONS(SET)
    return true;
}

#endif

/* Never undone: others in this process may use curl as well. */
static void load(void) {
    if (!find_all())
        return;
    CURLcode result = rt_curl.curl_global_init(CURL_GLOBAL_DEFAULT);
    if (result != CURLE_OK)
        snprintf(reason, sizeof reason, "curl_global_init: %s", rt_curl.curl_easy_strerror(result));
}

const char *rt_curl_load(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    return reason[0] ? reason : NULL;
}
