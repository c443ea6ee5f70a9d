#include "celeryc/worker/page.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct page_entry {
    _Atomic uint64_t word;       /* serial << 8 | state */
    _Atomic uint64_t claimed_at; /* the bits of a double */
};

struct page {
    struct page_entry entries[PAGE_ENTRIES];
};

static uint64_t word_of(uint32_t serial, enum page_state state)
{
    return ((uint64_t)serial << 8) | (uint64_t)state;
}

struct page *page_map(int fd, struct error *error)
{
    struct page *page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED) {
        error_set_errno(error, "cannot map the page shared with a child");
        return NULL;
    }
    return page;
}

struct page *page_new(int *fd, struct error *error)
{
    *fd = memfd_create("celeryc-page", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (*fd < 0) {
        error_set_errno(error, "cannot make the page shared with a child");
        return NULL;
    }
    struct page *page = NULL;
    if (ftruncate(*fd, (off_t)sizeof *page) != 0 ||
        fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        error_set_errno(error, "cannot size the page shared with a child");
    else
        page = page_map(*fd, error);
    if (page == NULL) {
        close(*fd);
        *fd = -1;
    }
    return page;
}

void page_free(struct page *page)
{
    if (page != NULL)
        munmap(page, sizeof *page);
}

static struct page_entry *entry_of(struct page *page, uint32_t serial)
{
    return &page->entries[serial % PAGE_ENTRIES];
}

static bool change(struct page *page, uint32_t serial, enum page_state from, enum page_state to)
{
    uint64_t expected = word_of(serial, from);
    return atomic_compare_exchange_strong(&entry_of(page, serial)->word, &expected, word_of(serial, to));
}

void page_offer(struct page *page, uint32_t serial)
{
    struct page_entry *entry = entry_of(page, serial);
    atomic_store(&entry->claimed_at, 0);
    atomic_store(&entry->word, word_of(serial, PAGE_OFFERED));
}

bool page_take_back(struct page *page, uint32_t serial)
{
    return change(page, serial, PAGE_OFFERED, PAGE_CLOSED);
}

bool page_condemn(struct page *page, uint32_t serial)
{
    return change(page, serial, PAGE_CLAIMED, PAGE_CONDEMNED);
}

bool page_claim(struct page *page, uint32_t serial, double now)
{
    uint64_t bits;
    memcpy(&bits, &now, sizeof bits);
    /* Written first: whoever sees CLAIMED sees the time too. After a lost race nobody looks at it. */
    atomic_store(&entry_of(page, serial)->claimed_at, bits);
    return change(page, serial, PAGE_OFFERED, PAGE_CLAIMED);
}

bool page_finish(struct page *page, uint32_t serial)
{
    return change(page, serial, PAGE_CLAIMED, PAGE_DONE);
}

enum page_state page_state(const struct page *page, uint32_t serial)
{
    uint64_t word = atomic_load(&page->entries[serial % PAGE_ENTRIES].word);
    if (word >> 8 != serial)
        return PAGE_FREE;
    uint64_t state = word & 0xff;
    return state <= PAGE_CONDEMNED ? (enum page_state)state : PAGE_FREE;
}

double page_claimed_at(const struct page *page, uint32_t serial)
{
    uint64_t bits = atomic_load(&page->entries[serial % PAGE_ENTRIES].claimed_at);
    double when;
    memcpy(&when, &bits, sizeof when);
    return when >= 0 ? when : 0; /* NaN too becomes 0 */
}
