/* counter.c - counts instructions and cycles inside Unicorn: a hook on every instruction that it executes.
 *
 * Python decodes the program once into one `struct insn` per halfword (timing.py says where the figures come from);
 * here they are added up, with what only the run knows: branches taken, IT instructions skipped, addresses, operands,
 * what stood before. Unicorn calls the hook for executed instructions only: those that an IT block skips are the gap
 * between one and the next. Needs no header of Unicorn. */
#include <stdint.h>

enum kind { OTHER, ALU, LOAD, STORE, STORE_INDEXED, MULTIPLE, IT, DIVIDE, DIVIDE_SIGNED, LONG, LONG_SIGNED };
enum flag { BRANCH = 1, CALL = 2, ENTRY = 4, STEP = 8, UPDATE = 16, ACCUMULATE = 32, KNOWN = 64, FLASH_ONLY = 128 };
enum rule { PIPELINED = 1, EARLY_LONG = 2, DUAL = 4 };

#define LITERAL 255u /* rn of an access whose address is disp */
#define NONE 254u    /* rn of an instruction without an address */
#define LINES_CACHED 128

struct insn {
    uint8_t kind;
    uint8_t flags;
    uint8_t size;   /* bytes */
    uint8_t cost;   /* cycles; of a conditional branch when not taken */
    uint8_t taken;  /* cycles more when a conditional branch is taken */
    uint8_t access; /* bytes of each element in memory */
    uint8_t count;  /* elements */
    uint8_t rn;     /* address = rn + (rm << shift) + disp; a divide is rn / rm, a long multiply rn * rm */
    uint8_t rm;
    uint8_t shift;
    uint16_t function;
    uint16_t written; /* registers, a bit each */
    uint16_t base;    /* registers of the address */
    uint16_t read;
    int32_t disp;
};

struct cell {
    uint64_t count;
    uint64_t cycles;
    uint64_t calls;
    uint64_t waits; /* of cycles */
};

/* The lines of flash used last. used: when, 0 for none. slot: of each line of flash, 0 if it is not here. */
struct cache {
    uint32_t lines; /* at most LINES_CACHED */
    uint32_t number[LINES_CACHED];
    uint64_t used[LINES_CACHED];
    uint8_t *slot;
};

struct flash {
    uint32_t waits;  /* 0: memory answers at once */
    uint32_t origin; /* of the region that is slow */
    uint32_t bytes;
    uint32_t line; /* bytes read at a time */
    uint32_t prefetch;
    uint32_t at;       /* the line that instructions come from */
    uint64_t ready;    /* when the line after it has been read */
    uint64_t busy;     /* until then the array reads something */
    struct cache code;
    struct cache data;
};

struct counter {
    const struct insn *insns; /* of the halfwords from base on */
    struct cell *cells;       /* one per halfword, of the current row */
    uint32_t base;
    uint32_t halfwords;
    uint32_t rows; /* that are left after the current one: an instruction flagged STEP begins the next */
    uint32_t rules;
    uint32_t next; /* where the instruction before ends */
    uint32_t lost; /* an address outside of the program, if one was executed */
    const struct insn *before;
    struct cell *spent; /* its cell */
    uint32_t paired;
    int32_t registers[16]; /* as Unicorn numbers them */
    int32_t (*read)(void *uc, int32_t id, void *value);
    uint64_t now; /* cycles in all */
    struct flash flash;
};

void counter_hook(void *uc, uint64_t address, uint32_t size, void *user);

static uint32_t value(const struct counter *s, void *uc, uint32_t r)
{
    uint32_t v = 0;

    (void)s->read(uc, s->registers[r & 15u], &v);
    return v;
}

static uint32_t bits(uint32_t v)
{
    uint32_t n = 0;

    for (; v != 0; v >>= 1) {
        n++;
    }
    return n;
}

static uint32_t magnitude(uint32_t v, int is_signed)
{
    return is_signed && (v >> 31) != 0 ? 0u - v : v;
}

/* 2 to 12 cycles: the manuals give the bounds and "leading ones and zeroes"; between them four quotient bits a cycle. */
static uint32_t divide_cycles(uint32_t n, uint32_t d, int is_signed)
{
    const uint32_t a = bits(magnitude(n, is_signed)), b = bits(magnitude(d, is_signed));

    return b == 0 || a < b ? 2 : 4 + (a - b + 1) / 4;
}

/* Cortex-M3, 3 to 5 cycles, 4 to 7 with accumulation: a step more for each operand that needs more than 16 bits. */
static uint32_t long_cycles(uint32_t a, uint32_t b, int is_signed, int accumulate)
{
    const uint32_t sign = is_signed ? 1u : 0u;
    const uint32_t wide =
        (uint32_t)(bits(magnitude(a, is_signed)) + sign > 16) + (uint32_t)(bits(magnitude(b, is_signed)) + sign > 16);

    return accumulate ? 4 + wide + (wide == 2) : 3 + wide;
}

/* ---- flash ---- */

/* True if the line is cached; else it is from now on, in place of the one that was used longest ago. */
static int cached(struct cache *c, uint32_t number, uint64_t now)
{
    const uint32_t slot = c->slot[number];
    uint32_t oldest = 0;

    if (slot != 0) {
        c->used[slot - 1] = now;
        return 1;
    }
    if (c->lines == 0) {
        return 0;
    }
    for (uint32_t i = 1; i < c->lines; i++) {
        if (c->used[i] < c->used[oldest]) {
            oldest = i;
        }
    }
    if (c->used[oldest] != 0) {
        c->slot[c->number[oldest]] = 0;
    }
    c->slot[number] = (uint8_t)(oldest + 1);
    c->number[oldest] = number;
    c->used[oldest] = now;
    return 0;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Cycles that the core waits for a line of instructions. The array reads a line in 1 + waits cycles, of which the core's
 * own fetch cycle is one; with prefetch it reads the next line as soon as it is free. */
static uint64_t fetch(struct flash *f, uint32_t number, uint64_t now)
{
    uint64_t wait = 0;
    const uint32_t before = f->at;

    if (number == before) {
        return 0;
    }
    f->at = number;
    if (cached(&f->code, number, now + 1)) {
        f->ready = 0;
        return 0;
    }
    if (f->prefetch && number == before + 1 && f->ready != 0) {
        wait = f->ready > now ? f->ready - now : 0;
    } else {
        wait = (f->busy > now ? f->busy - now : 0) + f->waits;
    }
    f->ready = f->busy = now + wait + (f->prefetch ? 1 + f->waits : 0);
    return wait;
}

static uint64_t fetch_instruction(struct flash *f, uint32_t address, uint32_t size, uint64_t now)
{
    const uint32_t at = address - f->origin;
    uint64_t wait;

    if (at >= f->bytes) {
        return 0;
    }
    wait = fetch(f, at / f->line, now);
    return wait + fetch(f, (at + size - 1) / f->line, now + wait);
}

/* Data come over the same array, in lines too, and hold up a prefetch. */
static uint64_t load(struct flash *f, uint32_t address, uint32_t size, uint64_t now)
{
    const uint32_t at = address - f->origin;
    uint64_t wait = 0;

    if (at >= f->bytes) {
        return 0;
    }
    for (uint32_t number = at / f->line; number <= (at + size - 1) / f->line; number++) {
        if (!cached(&f->data, number, now + wait + 1)) {
            wait += (f->busy > now + wait ? f->busy - now - wait : 0) + f->waits;
            f->ready += f->ready != 0 ? 1 + f->waits : 0;
            f->busy = later(f->busy, f->ready);
        }
    }
    return wait;
}

/* ---- the core ---- */

static int is_memory(const struct insn *i)
{
    return i->kind >= LOAD && i->kind <= MULTIPLE;
}

/* Armv7-M: what the instruction before changes in the cost of this one. */
static uint32_t after(const struct insn *before, const struct insn *i, uint32_t cost)
{
    const int neighbours = (i->kind == LOAD || i->kind == STORE_INDEXED) && before->kind == LOAD;

    if (i->kind == IT) {
        return before->size == 2 ? 0 : cost; /* folded */
    }
    if (neighbours && ((before->flags | i->flags) & (UPDATE | BRANCH)) == 0 && (before->written & i->base) == 0) {
        return cost - 1;
    }
    if (before->kind == ALU && (before->written & i->base) != 0) {
        return cost + 1; /* there is no forwarding to the address */
    }
    return cost;
}

/* Cortex-M7, rough: two neighbours issue together, a result of a load can be used one cycle later. */
static uint32_t issue(struct counter *s, const struct insn *i, uint32_t cost)
{
    const struct insn *const before = s->before;
    const int depends = (before->written & (i->read | i->base)) != 0;

    if (!s->paired && !depends && before->cost == 1 && i->cost == 1 && !(is_memory(before) && is_memory(i)) &&
        (before->flags & BRANCH) == 0) {
        s->paired = 1;
        return 0;
    }
    s->paired = 0;
    return cost + (before->kind == LOAD && depends ? 1 : 0);
}

static uint32_t unaligned(uint32_t address, uint32_t size)
{
    if (size == 2) {
        return address & 1u;
    }
    return (address & 1u) != 0 ? 2 : (address & 2u) >> 1;
}

/* The instructions of an IT block that were not executed: a cycle each. */
static void skip(struct counter *s, uint32_t to)
{
    while (s->next != to) {
        const uint32_t at = (s->next - s->base) >> 1;

        if (at >= s->halfwords || (s->insns[at].flags & KNOWN) == 0) {
            s->lost = s->next;
            break;
        }
        s->cells[at].count++;
        s->cells[at].cycles++;
        s->now++;
        s->next += s->insns[at].size;
    }
    s->before = 0;
}

void counter_hook(void *uc, uint64_t address, uint32_t size, void *user)
{
    struct counter *const s = user;
    const uint32_t pc = (uint32_t)address, at = (pc - s->base) >> 1;
    const struct insn *i;
    const struct insn *const jumped = s->before;
    struct cell *cell;
    uint32_t cost;
    int sequential = 1;

    if (at >= s->halfwords || (s->insns[at].flags & KNOWN) == 0) {
        s->lost = pc;
        return;
    }
    i = s->insns + at;
    if (s->before != 0 && pc != s->next) {
        if ((s->before->flags & BRANCH) != 0) {
            s->spent->cycles += s->before->taken;
            s->now += s->before->taken;
            sequential = 0;
        } else {
            skip(s, pc);
        }
    }
    if ((i->flags & STEP) != 0 && s->rows > 0) {
        s->rows--;
        s->cells += s->halfwords;
    }
    cell = s->cells + at;
    cell->count++;
    if ((i->flags & ENTRY) != 0 && (jumped == 0 || (jumped->flags & CALL) != 0 || jumped->function != i->function)) {
        cell->calls++;
    }

    cost = i->cost;
    if (s->before != 0 && sequential) {
        if ((s->rules & PIPELINED) != 0) {
            cost = after(s->before, i, cost);
        } else if ((s->rules & DUAL) != 0) {
            cost = issue(s, i, cost);
        }
    } else {
        s->paired = 0;
    }
    if (i->kind == DIVIDE || i->kind == DIVIDE_SIGNED) {
        cost = divide_cycles(value(s, uc, i->rn), value(s, uc, i->rm), i->kind == DIVIDE_SIGNED);
    } else if (s->rules & EARLY_LONG && (i->kind == LONG || i->kind == LONG_SIGNED)) {
        cost =
            long_cycles(value(s, uc, i->rn), value(s, uc, i->rm), i->kind == LONG_SIGNED, (i->flags & ACCUMULATE) != 0);
    }
    if (s->flash.waits != 0) {
        const uint64_t wait = fetch_instruction(&s->flash, pc, size, s->now);

        cell->waits += wait;
        cell->cycles += wait;
        s->now += wait;
    }
    if (i->rn != NONE && is_memory(i) && (s->flash.waits != 0 || (i->flags & FLASH_ONLY) == 0)) {
        uint32_t where = (uint32_t)i->disp;

        if (i->rn != LITERAL) {
            where += value(s, uc, i->rn) + (i->rm != NONE ? value(s, uc, i->rm) << i->shift : 0);
        }
        if (i->access > 1 && i->count == 1 && (s->rules & (PIPELINED | DUAL)) != 0) {
            cost += unaligned(where, i->access);
        }
        if (s->flash.waits != 0) {
            const uint64_t wait = load(&s->flash, where, (uint32_t)i->access * i->count, s->now);

            cell->waits += wait;
            cell->cycles += wait;
            s->now += wait;
        }
    }
    cell->cycles += cost;
    s->now += cost;
    s->before = i;
    s->spent = cell;
    s->next = pc + i->size;
}
