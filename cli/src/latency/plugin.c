/* A plugin of QEMU 7.2's translator, for `cargo reliquary run --latency`: counts the instructions that
 * each CPU executes at EL2, from where an interrupt may have come to where the guest can take it.
 *
 * EL2's code is the hypervisor's image, known by the place of its bytes in QEMU's own memory: guests
 * may have code at the same virtual addresses. Everything else is a guest's. A block of translated
 * code is counted when it begins; between two blocks of a guest everything is EL2's. No CPU writes
 * what another does.
 *
 * The results are in a file that is mapped, so that they are there however QEMU ends. read.rs has
 * the same layout: words of 64 bits, in the order of the structs below.
 *
 * The plugin's arguments:
 *   out=FILE         where the results go
 *   head=HEX         the image's first instruction
 *   text=HEX         how many bytes of the image are code
 *   vectors=HEX      where in it EL2's vectors are
 *   guest=CPU:HEX    an interrupt vector of the guest on this CPU; repeatable
 *   polls=HEX        the function that looks after a VM, without `each`: its third time in one stretch
 *                    polls for a timer whose interrupt QEMU's other thread has not raised yet
 *   each=1           count instruction by instruction: with -icount, a block that accesses a device is
 *                    left half-way and begun again
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What qemu-plugin.h of API version 1 declares, as far as it is used here. */
typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, void (*)(unsigned, void *), int, void *);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, void (*)(unsigned, void *), int, void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *);
void *qemu_plugin_insn_haddr(const struct qemu_plugin_insn *);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

#define CPUS 8
#define TOP 8                    /* longest ones that are kept, of each table */
#define PLACES 512               /* blocks of one of them that are told */
#define VECTORS 64
#define TRACE (1 << 16)          /* blocks between two of the guest's that are remembered */

enum { MASKED, DELIVERY, CHAIN, WAIT, POLL, TABLES };
/* How a stretch begins, if not at a vector of EL2's, whose offset it is then. */
enum { WOKEN = 1, OPENED = 2 };
/* How it ends. */
enum { TO_GUEST = 1, TO_VECTOR, TO_SLEEP, TO_OPEN, TO_EL2 };

struct longest {
    uint64_t length, wait, begins, ends, guest, stays, places;
    struct { uint64_t at, count; } place[PLACES];
};
struct table { uint64_t count, sum, histogram[64]; struct longest top[TOP]; };
struct results {
    uint64_t magic, image_seen;
    struct { uint64_t guest_seen; struct table table[TABLES]; } cpu[CPUS];
};

/* A block of EL2's code. */
struct block {
    uint32_t at, count;          /* offset in the image; instructions */
    uint32_t vector;             /* its offset, if it is one for exceptions of a guest */
    enum { GOES_ON, RETURNS, SLEEPS, OPENS, SPINS } last;
};

struct cpu {
    int booted, counts, in_guest;
    const struct block *last;    /* the block of EL2's that began last, not yet accounted for */
    uint64_t guest;              /* the guest's block that began last */
    uint64_t masked, masked_wait, masked_poll, masked_begins, masked_from;
    uint64_t path, path_wait, path_begins, stays;
    const struct block *spin;    /* a block that ended with ISB, and when */
    uint64_t spin_path, spin_blocks;
    uint64_t polls, poll_path, poll_wait, poll_blocks;
    size_t blocks;
    struct { const struct block *block; uint64_t count; } trace[TRACE];
};

static struct results *results;
static struct cpu *cpus;
static uint32_t head;
static uint64_t text_size, el2_vectors;
static uint64_t polls_at;
static int each;
static const char *volatile image;
static struct { uint64_t at[VECTORS]; int count; } guest_vectors[CPUS];

/* Sums up the blocks of a stretch by place, as many places as there is room for. */
static void tell_places(const struct cpu *c, size_t from, struct longest *to)
{
    to->places = 0;
    for (size_t i = from; i < c->blocks; i++) {
        uint64_t at = c->trace[i].block->at;
        size_t place = 0;
        while (place < to->places && to->place[place].at != at) place++;
        if (place == PLACES) continue;
        if (place == to->places) {
            to->place[place].at = at;
            to->place[place].count = 0;
            to->places++;
        }
        to->place[place].count += c->trace[i].count;
    }
}

/* Counts a stretch, and keeps it if it is among the longest: one of each kind and place of the guest. */
static void record(unsigned n, int which, uint64_t length, uint64_t wait,
                   uint64_t begins, uint64_t ends, size_t from)
{
    const struct cpu *c = &cpus[n];
    struct table *table = &results->cpu[n].table[which];
    struct longest *keep = NULL;
    table->count++;
    table->sum += length;
    table->histogram[length ? 63 - __builtin_clzll(length) : 0]++;
    for (int i = 0; i < TOP; i++) {
        struct longest *one = &table->top[i];
        if (one->length && one->begins == begins && one->ends == ends && one->guest == c->guest) {
            keep = one;
            break;
        }
        if (!keep || one->length < keep->length) keep = one;
    }
    if (keep->length >= length) return;
    keep->wait = wait;
    keep->begins = begins;
    keep->ends = ends;
    keep->guest = c->guest;
    keep->stays = c->stays;
    tell_places(c, from, keep);
    keep->length = length;
}

static void mask_begins(struct cpu *c, uint64_t kind)
{
    c->masked = c->masked_wait = c->masked_poll = c->polls = 0;
    c->masked_begins = kind;
    c->masked_from = c->blocks;
}

static void mask_ends(unsigned n, uint64_t how)
{
    struct cpu *c = &cpus[n];
    uint64_t out = c->masked_wait + c->masked_poll;
    record(n, MASKED, c->masked - out, out, c->masked_begins, how, c->masked_from);
    if (c->masked_wait)
        record(n, WAIT, c->masked_wait, out, c->masked_begins, how, c->masked_from);
    if (c->masked_poll)
        record(n, POLL, c->masked_poll, out, c->masked_begins, how, c->masked_from);
}

/* Where an interrupt at the core may have come: behind the guest's last instruction, or in a WFI. */
static void path_begins(struct cpu *c, uint64_t kind)
{
    c->path = c->path_wait = 0;
    c->path_begins = kind;
    c->stays = 0;
    c->blocks = 0;
    c->spin = NULL;
}

/* The last block is over: what its last instruction did. */
static void settle(unsigned n)
{
    struct cpu *c = &cpus[n];
    const struct block *last = c->last;
    c->last = NULL;
    if (!last) return;
    switch (last->last) {
    case SLEEPS:
        mask_ends(n, TO_SLEEP);
        path_begins(c, WOKEN);
        c->stays = 1;
        mask_begins(c, WOKEN);
        break;
    case OPENS:
        mask_ends(n, TO_OPEN);
        mask_begins(c, OPENED);
        break;
    case SPINS:                  /* the same ISB again within a few instructions is a lock's */
        if (c->spin == last && c->path - c->spin_path <= 16) {
            c->masked_wait += c->path - c->spin_path;
            c->path_wait += c->path - c->spin_path;
            c->blocks = c->spin_blocks;
        }
        c->spin = last;
        c->spin_path = c->path;
        c->spin_blocks = c->blocks;
        break;
    default:
        break;
    }
}

/* A block of EL2's begins. */
static void at_el2(unsigned n, void *data)
{
    struct cpu *c = &cpus[n];
    const struct block *block = data;
    c->booted = 1;
    if (!c->counts) return;
    int returned = c->last && c->last->last == RETURNS;
    settle(n);
    if (c->in_guest) {
        path_begins(c, block->vector);
        mask_begins(c, block->vector);
        c->stays = 1;
        c->in_guest = 0;
    } else if (returned && block->vector) {
        mask_ends(n, TO_EL2);    /* back at once, without an instruction of the guest's */
        mask_begins(c, block->vector);
        c->stays++;
    }
    if (block->at == polls_at && polls_at && !each) {
        if (++c->polls > 2) {
            uint64_t turn = c->path - c->poll_path - (c->masked_wait - c->poll_wait);
            c->masked_poll += turn;
            c->path_wait += turn;
            c->blocks = c->poll_blocks;
        }
        c->poll_path = c->path;
        c->poll_wait = c->masked_wait;
        c->poll_blocks = c->blocks;
    }
    c->last = block;
    uint64_t count = each ? 0 : block->count;
    c->masked += count;
    c->path += count;
    if (c->blocks < TRACE) {
        c->trace[c->blocks].block = block;
        c->trace[c->blocks++].count = count;
    }
}

/* An instruction of it begins: only if each is counted. */
static void at_instruction(unsigned n, void *data)
{
    struct cpu *c = &cpus[n];
    (void)data;
    if (!c->counts) return;
    c->masked++;
    c->path++;
    if (c->blocks && c->blocks < TRACE) c->trace[c->blocks - 1].count++;
}

static int is_vector(unsigned n, uint64_t at)
{
    for (int i = 0; i < guest_vectors[n].count; i++)
        if (guest_vectors[n].at[i] == at) return 1;
    return 0;
}

/* A block of the guest's begins. */
static void in_guest(unsigned n, void *data)
{
    struct cpu *c = &cpus[n];
    uint64_t at = (uint64_t)data;
    if (c->in_guest) {
        c->guest = at;
        return;
    }
    if (!c->booted) return;      /* QEMU's own loader */
    if (c->counts) {
        int vector = is_vector(n, at);
        settle(n);
        mask_ends(n, vector ? TO_VECTOR : TO_GUEST);
        if (vector)
            record(n, c->stays == 1 ? DELIVERY : CHAIN, c->path - c->path_wait, c->path_wait,
                   c->path_begins, TO_VECTOR, 0);
    }
    c->counts = 1;
    results->cpu[n].guest_seen = 1;
    c->in_guest = 1;
    c->guest = at;
}

static uint32_t word(const struct qemu_plugin_insn *insn)
{
    uint32_t word = 0;
    if (qemu_plugin_insn_size(insn) == 4) memcpy(&word, qemu_plugin_insn_data(insn), 4);
    return word;
}

static struct block *describe(const struct qemu_plugin_tb *tb, uint64_t at)
{
    struct block *block = calloc(1, sizeof *block);
    if (!block) abort();
    block->at = at;
    block->count = qemu_plugin_tb_n_insns(tb);
    if (at >= el2_vectors + 0x400 && at < el2_vectors + 0x800 && !(at & 0x7f))
        block->vector = at - el2_vectors;
    for (size_t i = 0; i < block->count; i++) {
        uint32_t code = word(qemu_plugin_tb_get_insn(tb, i));
        if (code == 0xd69f03e0) block->last = RETURNS;                        /* ERET */
        if (code == 0xd503207f) block->last = SLEEPS;                         /* WFI */
        if ((code & 0xfffff2ff) == 0xd50342ff) block->last = OPENS;           /* MSR DAIFClr, with I */
        if ((code & 0xffffffe0) == 0xd51b4220) block->last = OPENS;           /* MSR DAIF: perhaps */
        if (code == 0xd5033fdf && i + 1 == block->count) block->last = SPINS; /* ISB */
    }
    return block;
}

static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
    struct qemu_plugin_insn *first = qemu_plugin_tb_get_insn(tb, 0);
    const char *bytes = qemu_plugin_insn_haddr(first);
    (void)id;
    if (!image && bytes && word(first) == head) {
        image = bytes;
        results->image_seen = 1;
    }
    if (image && bytes >= image && bytes < image + text_size) {
        struct block *block = describe(tb, bytes - image);
        qemu_plugin_register_vcpu_tb_exec_cb(tb, at_el2, 0, block);
        for (size_t i = 0; each && i < block->count; i++)
            qemu_plugin_register_vcpu_insn_exec_cb(qemu_plugin_tb_get_insn(tb, i), at_instruction, 0, NULL);
    } else {
        qemu_plugin_register_vcpu_tb_exec_cb(tb, in_guest, 0, (void *)qemu_plugin_tb_vaddr(tb));
    }
}

static int take(const char *argument)
{
    const char *value = strchr(argument, '=');
    size_t name = value ? (size_t)(value++ - argument) : 0;
    char *end;
    if (name == 3 && !strncmp(argument, "out", name)) {
        int file = open(value, O_RDWR | O_CREAT | O_TRUNC, 0666);
        if (file < 0 || ftruncate(file, sizeof *results)) return -1;
        results = mmap(NULL, sizeof *results, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        close(file);
        return results == MAP_FAILED ? -1 : 0;
    }
    if (name == 5 && !strncmp(argument, "guest", name)) {
        unsigned long n = strtoul(value, &end, 10);
        if (n >= CPUS || *end != ':' || guest_vectors[n].count == VECTORS) return -1;
        guest_vectors[n].at[guest_vectors[n].count++] = strtoull(end + 1, NULL, 16);
        return 0;
    }
    if (name == 4 && !strncmp(argument, "head", name)) head = strtoul(value, NULL, 16);
    else if (name == 4 && !strncmp(argument, "text", name)) text_size = strtoull(value, NULL, 16);
    else if (name == 7 && !strncmp(argument, "vectors", name)) el2_vectors = strtoull(value, NULL, 16);
    else if (name == 5 && !strncmp(argument, "polls", name)) polls_at = strtoull(value, NULL, 16);
    else if (name == 4 && !strncmp(argument, "each", name)) each = value[0] == '1';
    else return -1;
    return 0;
}

__attribute__((visibility("default")))
int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (take(argv[i])) {
            fprintf(stderr, "latency: cannot take %s\n", argv[i]);
            return -1;
        }
    }
    cpus = calloc(CPUS, sizeof *cpus);
    if (!results || !head || !text_size || !cpus) {
        fprintf(stderr, "latency: out=, head= and text= are needed\n");
        return -1;
    }
    results->magic = 0x31434e4554414c52; /* RLATENC1 */
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
