/* The command line. Whatever cannot be followed is said in one line, with the value and what would
 * do. */
#include "program.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define MS_MAX 3600000
#define BYTES_MAX (64u << 20)

#define USAGE                                                                                      \
    "usage: " PROGRAM " engineio|socketio PORT [--ping-interval MS] [--ping-timeout MS] "          \
    "[--max-payload BYTES] [--connect-timeout MS] [--path /PATH/] [--cors off|*|reflect|ORIGINS]"

/* The options that take a number. */
static const struct {
    const char *name;
    const char *unit;
    size_t at; /* offset of the member in program_opts */
    unsigned max;
} numbers[] = {
    {"--ping-interval", "milliseconds", offsetof(program_opts, engine.ping_interval_ms), MS_MAX},
    {"--ping-timeout", "milliseconds", offsetof(program_opts, engine.ping_timeout_ms), MS_MAX},
    {"--max-payload", "bytes", offsetof(program_opts, engine.max_payload), BYTES_MAX},
    {"--connect-timeout", "milliseconds", offsetof(program_opts, connect_timeout_ms), MS_MAX},
};
#define NUMBERS (sizeof numbers / sizeof numbers[0])

static bool take_number(size_t i, const char *value, program_opts *o) {
    unsigned long long n;
    if (rt_slice_to_u64(rt_slice_of(value), numbers[i].max, &n) != 0 || n < 1) {
        fprintf(stderr, PROGRAM ": %s %s: give %s, a whole number from 1 to %u\n", numbers[i].name,
                value, numbers[i].unit, numbers[i].max);
        return false;
    }
    uint32_t *member = (uint32_t *)((char *)o + numbers[i].at);
    *member = (uint32_t)n;
    return true;
}

/* As in the reference, a slash at the end is added whether it was given or not. */
static bool take_path(const char *value, program_opts *o) {
    size_t n = strlen(value);
    bool valid = *value == '/' && n <= PATH_MAX_BYTES;
    for (size_t i = 0; i < n && valid; i++)
        valid = value[i] > ' ' && value[i] < 0x7f && !strchr("?#", value[i]);
    if (!valid) {
        fprintf(stderr,
                PROGRAM ": --path %.250s: give a path that begins with /, of at most %d visible "
                        "ASCII characters, without ? and #\n",
                value, PATH_MAX_BYTES);
        return false;
    }
    while (n > 0 && value[n - 1] == '/')
        n--;
    snprintf(o->path, sizeof o->path, "%.*s/", (int)n, value);
    return true;
}

static bool take_cors(const char *value, program_opts *o) {
    o->origins = NULL;
    if (strcmp(value, "off") == 0) {
        o->engine.cors = RT_EIO_CORS_OFF;
    } else if (strcmp(value, "*") == 0) {
        o->engine.cors = RT_EIO_CORS_ANY;
    } else if (strcmp(value, "reflect") == 0) {
        o->engine.cors = RT_EIO_CORS_REFLECT;
    } else if (strstr(value, "://")) {
        o->engine.cors = RT_EIO_CORS_ASK;
        o->origins = value;
    } else {
        fprintf(stderr,
                PROGRAM ": --cors %s: give off, * (any origin), reflect (any origin, with "
                        "credentials), or origins such as http://a.example,https://b.example\n",
                value);
        return false;
    }
    return true;
}

static bool take_option(const char *name, const char *value, program_opts *o) {
    for (size_t i = 0; i < NUMBERS; i++)
        if (strcmp(name, numbers[i].name) == 0)
            return take_number(i, value, o);
    return strcmp(name, "--path") == 0 ? take_path(value, o) : take_cors(value, o);
}

static bool is_option(const char *name) {
    for (size_t i = 0; i < NUMBERS; i++)
        if (strcmp(name, numbers[i].name) == 0)
            return true;
    return strcmp(name, "--path") == 0 || strcmp(name, "--cors") == 0;
}

static bool take_mode(const char *value, program_opts *o) {
    o->socketio = strcmp(value, "socketio") == 0;
    if (o->socketio || strcmp(value, "engineio") == 0)
        return true;
    fprintf(stderr, PROGRAM ": %s: give engineio or socketio first, then the port\n", value);
    return false;
}

static bool take_port(const char *value, program_opts *o) {
    unsigned long long port;
    if (rt_slice_to_u64(rt_slice_of(value), 65535, &port) != 0) {
        fprintf(stderr, PROGRAM ": port %s: give a whole number from 0 (a free one) to 65535\n",
                value);
        return false;
    }
    o->port = (int)port;
    return true;
}

/* One word that is no option: the mode, then the port. */
static bool take_word(int place, const char *value, program_opts *o) {
    if (place == 0)
        return take_mode(value, o);
    if (place == 1)
        return take_port(value, o);
    fprintf(stderr, PROGRAM ": %s: one word too many; give a mode and a port\n", value);
    return false;
}

static bool read_all(program_opts *o, int argc, char **argv, int *words) {
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) != 0) {
            if (!take_word((*words)++, argv[i], o))
                return false;
        } else if (!is_option(argv[i])) {
            fprintf(stderr, PROGRAM ": %s: no such option; --help lists them\n", argv[i]);
            return false;
        } else if (i + 1 == argc) {
            fprintf(stderr, PROGRAM ": %s: a value must follow\n", argv[i]);
            return false;
        } else if (!take_option(argv[i], argv[i + 1], o)) {
            return false;
        } else {
            i++;
        }
    }
    return true;
}

bool program_opts_read(program_opts *o, int argc, char **argv, int *status) {
    *o = (program_opts){.connect_timeout_ms = RT_SIO_CONNECT_TIMEOUT_MS};
    rt_eio_opts_default(&o->engine);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            puts(USAGE);
            *status = 0;
            return false;
        }
    }
    int words = 0;
    *status = USAGE_STATUS;
    if (!read_all(o, argc, argv, &words))
        return false;
    if (words < 2) {
        fputs(USAGE "\n", stderr);
        return false;
    }
    if (!*o->path)
        strcpy(o->path, o->socketio ? "/socket.io/" : "/engine.io/");
    return true;
}
