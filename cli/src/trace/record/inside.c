/* Loaded into QEMU 7.2 (LD_PRELOAD) by `cargo reliquary trace record`: puts the virtual time before
 * every event of the log, types at the console when it has printed what is waited for, and ends the
 * run, all of it at moments of virtual time, so that a recording is the same every time.
 *
 * QEMU prints its events by vfprintf, under its big lock; the functions below are those that it
 * exports for its own modules.
 *
 * RELIQUARY_CONSOLE  address of the data register of the UART that is the console, hexadecimal
 * RELIQUARY_STEPS    a file: lines `e HEX` (wait until this was printed) and `s HEX` (type this)
 * RELIQUARY_LIMIT    nanoseconds of virtual time after which the run ends in any case
 * RELIQUARY_SETTLE   nanoseconds between the last step and the end
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VIRTUAL 1                /* QEMU_CLOCK_VIRTUAL */
#define FIRST_NS 10000000LL      /* from the text that was waited for to the first byte */
#define NEXT_NS 1000000LL        /* from a byte to the next, or to another try */

static int (*print)(FILE *, int, const char *, va_list);
static int64_t (*clock_ns)(int);
static void (*timer_init)(void *, void *, int, int, int, void (*)(void *), void *);
static void (*timer_mod)(void *, int64_t);
static void *(*chr_find)(const char *);
static int (*chr_room)(void *);
static void (*chr_write)(void *, uint8_t *, int);

struct step { int types; char *text; size_t size; };
static struct step steps[256];
static int count, at;            /* steps, and the one under way */
static size_t typed;             /* bytes of it that were typed */
static char seen[4096];          /* the end of what the console printed */
static size_t seen_size;
static uint64_t console;
static int64_t limit = INT64_MAX, settle;
static int ready, over;
static FILE *log_file;
static char typing[512], ending[512];   /* QEMU's timers, larger than any version's */

static void end(void *unused)
{
    (void)unused;
    if (over) return;
    over = 1;
    fprintf(log_file, "%lld end %s\n", (long long)clock_ns(VIRTUAL), at < count ? "early" : "done");
    fflush(log_file);
    kill(getpid(), SIGTERM);
}

/* Goes on to the next step; `now` is the time of what ended the last one. */
static void next(int64_t now)
{
    at++;
    typed = 0;
    seen_size = 0;
    if (at >= count) timer_mod(ending, now + settle < limit ? now + settle : limit);
    else if (steps[at].types) timer_mod(typing, now + FIRST_NS);
}

static void type(void *unused)
{
    (void)unused;
    int64_t now = clock_ns(VIRTUAL);
    void *port = chr_find("console");
    if (over || at >= count || !steps[at].types || !port) return;
    if (chr_room(port) > 0) {
        uint8_t byte = (uint8_t)steps[at].text[typed++];
        fprintf(log_file, "%lld typed 0x%02x\n", (long long)now, byte);
        chr_write(port, &byte, 1);
    }
    if (typed == steps[at].size) next(now);
    else timer_mod(typing, now + NEXT_NS);
}

static void printed(char byte, int64_t now)
{
    if (seen_size == sizeof seen) {
        memmove(seen, seen + sizeof seen / 2, sizeof seen / 2);
        seen_size = sizeof seen / 2;
    }
    seen[seen_size++] = byte;
    if (at >= count || steps[at].types) return;
    size_t size = steps[at].size;
    if (size <= seen_size && !memcmp(seen + seen_size - size, steps[at].text, size)) next(now);
}

static int digit(int c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

static void read_steps(const char *name)
{
    FILE *file = name ? fopen(name, "r") : NULL;
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    while (file && count < 256 && (size = getline(&line, &room, file)) > 2) {
        struct step *step = &steps[count++];
        step->types = line[0] == 's';
        step->text = malloc((size_t)size);
        for (char *hex = line + 2; hex[0] > ' ' && hex[1] > ' '; hex += 2)
            step->text[step->size++] = (char)(digit(hex[0]) << 4 | digit(hex[1]));
    }
    free(line);
    if (file) fclose(file);
}

static void begin(void)
{
    ready = 1;
    clock_ns = dlsym(RTLD_DEFAULT, "qemu_clock_get_ns");
    timer_init = dlsym(RTLD_DEFAULT, "timer_init_full");
    timer_mod = dlsym(RTLD_DEFAULT, "timer_mod_ns");
    chr_find = dlsym(RTLD_DEFAULT, "qemu_chr_find");
    chr_room = dlsym(RTLD_DEFAULT, "qemu_chr_be_can_write");
    chr_write = dlsym(RTLD_DEFAULT, "qemu_chr_be_write");
    if (!clock_ns || !timer_init || !timer_mod || !chr_find || !chr_room || !chr_write) {
        fputs("reliquary: this QEMU does not export what a recording needs\n", stderr);
        _exit(3);
    }
    const char *text = getenv("RELIQUARY_CONSOLE");
    console = text ? strtoull(text, NULL, 16) : UINT64_MAX;
    if ((text = getenv("RELIQUARY_LIMIT"))) limit = atoll(text);
    if ((text = getenv("RELIQUARY_SETTLE"))) settle = atoll(text);
    read_steps(getenv("RELIQUARY_STEPS"));
    timer_init(typing, NULL, VIRTUAL, 1, 0, type, NULL);
    timer_init(ending, NULL, VIRTUAL, 1, 0, end, NULL);
    timer_mod(ending, limit);
    if (count && steps[0].types) timer_mod(typing, clock_ns(VIRTUAL) + FIRST_NS);
}

static int is_event(const char *format)
{
    static const char *const events[] = {"memory_region_ops_", "gic_set_irq"};
    for (size_t n = 0; n < sizeof events / sizeof *events; n++)
        if (!strncmp(format, events[n], strlen(events[n]))) return 1;
    return 0;
}

/* A write to the console's data register: its byte, or -1. */
static int sent(const char *format, va_list arguments)
{
    char line[256];
    unsigned long long address, value;
    if (strncmp(format, "memory_region_ops_write", 23)) return -1;
    va_list copy;
    va_copy(copy, arguments);
    vsnprintf(line, sizeof line, format, copy);
    va_end(copy);
    const char *words = strstr(line, " addr ");
    if (!words || sscanf(words, " addr 0x%llx value 0x%llx", &address, &value) != 2) return -1;
    return address == console ? (int)(value & 0xff) : -1;
}

int __vfprintf_chk(FILE *file, int flag, const char *format, va_list arguments)
{
    if (!print) print = dlsym(RTLD_NEXT, "__vfprintf_chk");
    if (file == stdout || file == stderr || !is_event(format)) return print(file, flag, format, arguments);
    if (over) return 0;
    log_file = file;
    if (!ready) begin();
    int64_t now = clock_ns(VIRTUAL);
    int byte = sent(format, arguments);
    fprintf(file, "%lld ", (long long)now);
    int size = print(file, flag, format, arguments);
    if (byte >= 0) printed((char)byte, now);
    return size;
}
